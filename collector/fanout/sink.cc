#include "collector/fanout/sink.h"
#include "ipc-schema/sink.h"

#include <capnp/message.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "collector/frame.h"
#include "collector/limits.h"
#include "export.capnp.h"

namespace oisp {

Sink::Sink(Loop& loop, Owner& owner, std::string name, SinkKind kind, bool after_file)
    : loop_(loop),
      owner_(owner),
      name_(std::move(name)),
      kind_(kind),
      after_file_(after_file),
      frames_(limits::kMostExporterFrame, 2 * limits::kMostExporterFrame) {}

void Sink::add_connection(OwnedFd fd) {
  next_connections_.push_back(std::move(fd));
  if (!stream_) connect_next();
}

void Sink::connect_next() {
  while (!stream_ && !next_connections_.empty()) {
    OwnedFd fd = std::move(next_connections_.front());
    next_connections_.pop_front();
    auto stream = ByteStream::make(loop_, std::move(fd), *this);
    if (!stream) {
      log_error("sink %s: %s", name_.c_str(), stream.error().text().c_str());
      continue;
    }
    stream_ = std::move(*stream);
    greeted_ = false;
    frames_.clear();
    in_flight_.clear();
    in_flight_bytes_ = 0;
    capnp::MallocMessageBuilder message;
    auto hello = message.initRoot<schema::ToExporter>().initHello();
    hello.setSink(name_);
    hello.setSensorVersion(OISP_VERSION);
    stream_->write(frame_of(message));
  }
}

void Sink::begin_at(std::uint64_t sequence) {
  begun_ = true;
  acknowledged_ = sent_ = sequence - 1;
}

void Sink::send(const EventQueue& queue, std::uint64_t end, bool waited_for) {
  if (!stream_ || !greeted_ || failed_) return;
  while (sent_ + 1 < end && in_flight_.size() < limits::kWindowBatches && in_flight_bytes_ < limits::kWindowBytes) {
    const std::uint64_t from = sent_ + 1;
    std::uint64_t to = from;
    std::size_t bytes = 0;
    while (to < end && to - from < limits::kBatchEvents &&
           (to == from || bytes + queue.at(to).bytes <= limits::kBatchBytes)) {
      bytes += queue.at(to++).bytes;
    }
    sent_ = to - 1;
    ever_sent_ = std::max(ever_sent_, sent_);
    in_flight_.push_back({.last = sent_, .bytes = bytes});
    in_flight_bytes_ += bytes;
    const bool half_full =
        in_flight_.size() >= limits::kWindowBatches / 2 || in_flight_bytes_ >= limits::kWindowBytes / 2;
    stream_->write(make_batch_frame(queue, from, to, waited_for || half_full));
  }
}

void Sink::evict_before(std::uint64_t sequence, const EventQueue& queue) {
  const std::uint64_t from = std::max(acknowledged_ + 1, queue.first());
  for (std::uint64_t i = from; i < sequence; ++i) {
    for (SinkLoss* loss : {&loss_, &loss_in_all_}) {
      if (loss->count == 0) loss->from = i;
      loss->to = i;
      ++loss->count;
      loss->bytes += queue.at(i).bytes;
    }
  }
  acknowledged_ = std::max(acknowledged_, sequence - 1);
  sent_ = std::max(sent_, acknowledged_);
}

void Sink::send_finish() {
  if (!stream_) return;
  capnp::MallocMessageBuilder message;
  message.initRoot<schema::ToExporter>().setFinish();
  stream_->write(frame_of(message));
}

SinkLoss Sink::take_loss() { return std::exchange(loss_, SinkLoss{}); }

bool Sink::on_bytes(std::size_t bytes) {
  frames_.received(bytes);
  while (true) {
    const auto frame = frames_.next();
    if (frame.ok() && !frame.value()) return true;
    if (!frame.ok() || !take_frame(*frame.value())) {
      log_warning("the exporter of sink %s sent a malformed message; its connection is closed", name_.c_str());
      on_end();
      return false;
    }
  }
}

void Sink::on_end() {
  stream_.reset();
  sent_ = acknowledged_;  // sent again to the next exporter
  in_flight_.clear();
  in_flight_bytes_ = 0;
  connect_next();
}

bool Sink::take_frame(std::span<const std::byte> frame) {
  const auto message = decode_exporter_message(frame);
  if (!message) return false;
  if (const auto* hello = std::get_if<ExporterHello>(&message.value())) return take_hello(*hello);
  if (!greeted_) return false;
  if (const auto* failure = std::get_if<ExporterFailed>(&message.value())) return take_failure(*failure);
  return take_acknowledge(std::get<ExporterAcknowledge>(message.value()).sequence);
}

bool Sink::take_hello(const ExporterHello& hello) {
  if (std::exchange(greeted_, true)) return false;
  failed_ = false;
  said_hello_ = true;
  kept_ = hello.has_kept ? hello.kept : 0;
  // An exporter may have kept what it had no time to acknowledge.
  if (begun_) acknowledged_ = std::max(acknowledged_, std::min(kept_, ever_sent_));
  sent_ = acknowledged_;
  owner_.on_sink_hello(*this);
  return true;
}

bool Sink::take_acknowledge(std::uint64_t sequence) {
  if (sequence > sent_) return false;
  acknowledged_ = std::max(acknowledged_, sequence);
  while (!in_flight_.empty() && in_flight_.front().last <= acknowledged_) {
    in_flight_bytes_ -= in_flight_.front().bytes;
    in_flight_.pop_front();
  }
  owner_.on_sink_progress(*this);
  return true;
}

bool Sink::take_failure(const ExporterFailed& failure) {
  if (failure.acknowledged > sent_) return false;
  acknowledged_ = std::max(acknowledged_, failure.acknowledged);
  failed_ = true;
  owner_.on_sink_failed(*this, Fault{.what = printable(failure.reason), .error = failure.error}.text());
  return true;
}

}  // namespace oisp
