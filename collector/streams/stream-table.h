// The open TLS streams: bounded for each process and in all. What a bound ends is told to the owner.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <unordered_map>

#include "collector/streams/stream.h"

namespace oisp {

class StreamTable {
 public:
  struct Bounds {
    std::size_t most = 0;
    std::size_t most_per_process = 0;
    std::size_t most_held_bytes = 0;
  };
  // Told of each stream that ends, after its last exchange.
  using Ended = std::function<void(Stream& stream, EndCause cause, bool evicted)>;

  // `life`: of this collector in the session. It goes into the names of streams, which stay unique so.
  StreamTable(Stream::Observer& observer, const HttpLimits& http_limits, Bounds bounds, unsigned life, Ended ended);

  [[nodiscard]] Stream* find(const StreamKey& key);
  [[nodiscard]] Stream* find(std::uint64_t number);
  Stream& add(const StreamKey& key);
  // Feeds a record; the stream may be ended by a bound afterwards.
  bool feed(Stream& stream, const TlsDataView& view);
  void end(const StreamKey& key, EndCause cause);
  void end_process(ProcessKey process, EndCause cause);
  void end_all(EndCause cause);

  // Streams made in all.
  [[nodiscard]] std::uint64_t seen() const { return seen_; }
  [[nodiscard]] std::size_t size() const { return streams_.size(); }
  // The open streams of a process, the one used longest ago first.
  template <typename Visit>
  void each_of(ProcessKey process, Visit&& visit) {
    for (auto& stream : streams_) {
      if (stream->facts.key.process == process) visit(*stream);
    }
  }

 private:
  using Order = std::list<std::unique_ptr<Stream>>;  // the one used longest ago first

  void remove(Order::iterator at, EndCause cause, bool evicted);
  void make_room(ProcessKey process);
  void limit_held_bytes();

  Stream::Observer& observer_;
  HttpLimits http_limits_;
  Bounds bounds_;
  unsigned life_;
  Ended ended_;
  Order streams_;
  std::unordered_map<StreamKey, Order::iterator, StreamKeyHash> by_key_;
  std::unordered_map<std::uint64_t, Order::iterator> by_number_;
  std::unordered_map<ProcessKey, std::size_t, ProcessKeyHash> per_process_;
  std::size_t held_bytes_ = 0;
  std::uint64_t seen_ = 0;
};

}  // namespace oisp
