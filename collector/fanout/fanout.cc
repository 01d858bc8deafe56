#include "collector/fanout/fanout.h"
#include "ipc-schema/sink.h"

#include <algorithm>

#include "collector/limits.h"

namespace oisp {

Fanout::Fanout(Loop& loop, Listener& listener, std::size_t most_bytes)
    : loop_(loop), listener_(listener), most_bytes_(most_bytes) {}

void Fanout::add_connection(std::string_view name, SinkKind kind, bool after_file, OwnedFd fd) {
  for (const auto& sink : sinks_) {
    if (sink->name() == name) return sink->add_connection(std::move(fd));
  }
  sinks_.push_back(
      std::make_unique<Sink>(loop_, static_cast<Sink::Owner&>(*this), std::string(name), kind, after_file));
  if (ready_) sinks_.back()->begin_at(queue_.first());
  sinks_.back()->add_connection(std::move(fd));
}

void Fanout::expect_no_more_sinks() {
  all_named_ = true;
  check_ready();
}

void Fanout::check_ready() {
  if (ready_ || !all_named_) return;
  if (!std::ranges::all_of(sinks_, [](const auto& sink) { return sink->said_hello(); })) return;
  ready_ = true;
  std::uint64_t kept = 0;
  for (const auto& sink : sinks_) kept = std::max(kept, sink->kept());
  queue_.begin_at(kept + 1);
  for (const auto& sink : sinks_) sink->begin_at(kept + 1);
  listener_.on_sinks_ready();
}

void Fanout::push(Chunk event) {
  queue_.push(std::move(event));
  if (queue_.bytes() > most_bytes_) evict();
}

// First what everybody has; then the oldest, down to seven eighths of the bound.
void Fanout::evict() {
  queue_.drop_before(least_acknowledged() + 1);
  if (queue_.bytes() <= most_bytes_) return;
  std::size_t bytes = queue_.bytes();
  std::uint64_t sequence = queue_.first();
  while (sequence < queue_.next() && bytes > most_bytes_ / 8 * 7) bytes -= queue_.at(sequence++).bytes;
  for (const auto& sink : sinks_) sink->evict_before(sequence, queue_);
  queue_.drop_before(sequence);
}

void Fanout::pump() {
  for (const auto& sink : sinks_) {
    if (sink->failed()) sink->evict_before(queue_.next(), queue_);
  }
  const bool waited_for =
      finishing_ || std::ranges::any_of(sinks_, [](const auto& sink) { return sink->after_file(); });
  for (const auto& sink : sinks_) sink->send(queue_, end_for(*sink), waited_for);
  queue_.drop_before(least_acknowledged() + 1);
}

std::uint64_t Fanout::end_for(const Sink& sink) const {
  std::uint64_t end = queue_.next();
  if (!sink.after_file()) return end;
  for (const auto& other : sinks_) {
    // Not those that wait themselves: lines as JSON, where the view would be.
    if (other->kind() == SinkKind::jsonl && !other->after_file() && !other->failed())
      end = std::min(end, other->acknowledged() + 1);
  }
  return end;
}

std::uint64_t Fanout::least_acknowledged() const {
  std::uint64_t least = queue_.next() - 1;
  for (const auto& sink : sinks_) least = std::min(least, sink->acknowledged());
  return least;
}

void Fanout::finish() {
  finishing_ = true;
  pump();
  check_delivered();
}

void Fanout::abandon() {
  for (const auto& sink : sinks_) sink->evict_before(queue_.next(), queue_);
  queue_.drop_before(queue_.next());
  check_delivered();
}

void Fanout::send_finish() {
  for (const auto& sink : sinks_) sink->send_finish();
}

bool Fanout::idle() const {
  return std::ranges::all_of(sinks_, [](const auto& sink) { return sink->idle(); });
}

void Fanout::check_delivered() {
  if (!finishing_ || delivered_ || queue_.first() != queue_.next()) return;
  delivered_ = true;
  listener_.on_all_delivered();
}

void Fanout::on_sink_hello(Sink&) {
  check_ready();
  if (ready_) pump();
}

void Fanout::on_sink_progress(Sink&) {
  pump();
  check_delivered();
}

// A sink that cannot deliver any more holds nothing back: what comes is lost for it, and counted.
void Fanout::on_sink_failed(Sink& sink, const std::string& reason) {
  listener_.on_sink_lost(sink.name(), reason);
  pump();
  check_delivered();
}

std::vector<Fanout::NamedLoss> Fanout::take_losses() {
  std::vector<NamedLoss> losses;
  for (const auto& sink : sinks_) {
    if (const SinkLoss loss = sink->take_loss(); loss.count > 0) losses.push_back({.sink = sink->name(), .loss = loss});
  }
  return losses;
}

std::vector<Fanout::NamedLoss> Fanout::losses_in_all() const {
  std::vector<NamedLoss> losses;
  for (const auto& sink : sinks_) {
    if (sink->loss_in_all().count > 0) losses.push_back({.sink = sink->name(), .loss = sink->loss_in_all()});
  }
  return losses;
}

}  // namespace oisp
