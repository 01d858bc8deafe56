#include "collector/streams/stream-table.h"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace oisp {
namespace {

// Unique on this boot, and short.
std::string name_of(const StreamKey& key, unsigned life, std::uint64_t number) {
  char text[64];
  (void)std::snprintf(text, sizeof text, "%u-%llx-%u.%llu", key.process.tgid,
                      static_cast<unsigned long long>(key.process.start_ns), life,
                      static_cast<unsigned long long>(number));
  return text;
}

}  // namespace

StreamTable::StreamTable(Stream::Observer& observer, const HttpLimits& http_limits, Bounds bounds, unsigned life,
                         Ended ended)
    : observer_(observer), http_limits_(http_limits), bounds_(bounds), life_(life), ended_(std::move(ended)) {}

Stream* StreamTable::find(const StreamKey& key) {
  const auto found = by_key_.find(key);
  return found == by_key_.end() ? nullptr : found->second->get();
}

Stream* StreamTable::find(std::uint64_t number) {
  const auto found = by_number_.find(number);
  return found == by_number_.end() ? nullptr : found->second->get();
}

Stream& StreamTable::add(const StreamKey& key) {
  make_room(key.process);
  StreamFacts facts;
  facts.number = ++seen_;
  facts.key = key;
  facts.name = name_of(key, life_, facts.number);
  facts.is_tls = (key.session & OISP_SESSION_IS_SOCKET) == 0;
  streams_.push_back(std::make_unique<Stream>(std::move(facts), observer_, http_limits_));
  const auto at = std::prev(streams_.end());
  by_key_[key] = at;
  by_number_[(*at)->facts.number] = at;
  ++per_process_[key.process];
  return **at;
}

void StreamTable::make_room(ProcessKey process) {
  const auto count = per_process_.find(process);
  if (count != per_process_.end() && count->second >= bounds_.most_per_process) {
    const auto oldest =
        std::ranges::find_if(streams_, [process](const auto& stream) { return stream->facts.key.process == process; });
    if (oldest != streams_.end()) remove(oldest, EndCause::run_ended, true);
  }
  if (streams_.size() >= bounds_.most) remove(streams_.begin(), EndCause::run_ended, true);
}

bool StreamTable::feed(Stream& stream, const TlsDataView& view) {
  const auto at = by_number_.find(stream.facts.number)->second;
  streams_.splice(streams_.end(), streams_, at);
  const std::size_t held_before = stream.held_bytes();
  const bool fits = stream.on_data(view);
  held_bytes_ = held_bytes_ - held_before + stream.held_bytes();
  if (held_bytes_ > bounds_.most_held_bytes) limit_held_bytes();
  return fits;
}

// The stream that holds most goes first.
void StreamTable::limit_held_bytes() {
  while (held_bytes_ > bounds_.most_held_bytes && !streams_.empty()) {
    const auto largest =
        std::ranges::max_element(streams_, {}, [](const auto& stream) { return stream->held_bytes(); });
    remove(largest, EndCause::run_ended, true);
  }
}

void StreamTable::end(const StreamKey& key, EndCause cause) {
  const auto found = by_key_.find(key);
  if (found != by_key_.end()) remove(found->second, cause, false);
}

void StreamTable::end_process(ProcessKey process, EndCause cause) {
  if (!per_process_.contains(process)) return;
  for (auto at = streams_.begin(); at != streams_.end();) {
    const auto here = at++;
    if ((*here)->facts.key.process == process) remove(here, cause, false);
  }
}

void StreamTable::end_all(EndCause cause) {
  while (!streams_.empty()) remove(streams_.begin(), cause, false);
}

void StreamTable::remove(Order::iterator at, EndCause cause, bool evicted) {
  Stream& stream = **at;
  held_bytes_ -= stream.held_bytes();
  stream.end(cause);
  ended_(stream, cause, evicted);
  by_key_.erase(stream.facts.key);
  by_number_.erase(stream.facts.number);
  const auto count = per_process_.find(stream.facts.key.process);
  if (--count->second == 0) per_process_.erase(count);
  streams_.erase(at);
}

}  // namespace oisp
