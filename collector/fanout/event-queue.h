// Finished events in order, each serialised once, until every sink has them or the bound evicts them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>

#include "base/event-loop/byte-stream.h"

namespace oisp {

class EventQueue {
 public:
  // The first event will have this number.
  void begin_at(std::uint64_t sequence) { first_ = sequence; }

  [[nodiscard]] std::uint64_t first() const { return first_; }
  // Number of the event that comes next; equal to first() where there is none.
  [[nodiscard]] std::uint64_t next() const { return first_ + events_.size(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] const Chunk& at(std::uint64_t sequence) const { return events_[sequence - first_]; }

  void push(Chunk event) {
    bytes_ += event.bytes;
    events_.push_back(std::move(event));
  }
  // Forgets all events before `sequence`.
  void drop_before(std::uint64_t sequence) {
    while (first_ < sequence && !events_.empty()) {
      bytes_ -= events_.front().bytes;
      events_.pop_front();
      ++first_;
    }
  }

 private:
  std::deque<Chunk> events_;
  std::uint64_t first_ = 1;
  std::size_t bytes_ = 0;
};

// The frame of a batch with the events [from, to) of the queue.
Chunk make_batch_frame(const EventQueue& queue, std::uint64_t from, std::uint64_t to, bool acknowledge_now);

}  // namespace oisp
