// Brings every finished event to every sink, in order, each at its own pace. Bounded: what a slow or
// dead sink leaves unacknowledged beyond the bound is lost for that sink, and counted.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/event-loop/byte-stream.h"
#include "collector/fanout/event-queue.h"
#include "collector/fanout/sink.h"
#include "ipc-schema/sink.h"

namespace oisp {

class Fanout : private Sink::Owner {
 public:
  class Listener {
   public:
    virtual ~Listener() = default;
    // Every sink has an exporter that said hello: numbers can be given. Called once.
    virtual void on_sinks_ready() = 0;
    virtual void on_sink_lost(const std::string& name, const std::string& reason) = 0;
    // After finish(): every event is acknowledged, or has no sink any more. Called once.
    virtual void on_all_delivered() = 0;
  };

  Fanout(Loop& loop, Listener& listener, std::size_t most_bytes);

  // A connection with an exporter of the sink of that name; the first one makes the sink.
  void add_connection(std::string_view name, SinkKind kind, bool after_file, OwnedFd fd);
  // All sinks are named.
  void expect_no_more_sinks();

  // The number that the next event has to carry.
  [[nodiscard]] std::uint64_t next_sequence() const { return queue_.next(); }
  // No sink waits for the events up to this one any more.
  [[nodiscard]] std::uint64_t delivered() const { return queue_.first() - 1; }
  void push(Chunk event);
  // Sends what can be sent; call when some events have been pushed.
  void pump();

  // No more events will come.
  void finish();
  // Gives up on what is not acknowledged yet.
  void abandon();
  // Tells the exporters that there is no more.
  void send_finish();
  [[nodiscard]] bool idle() const;

  struct NamedLoss {
    std::string sink;
    SinkLoss loss;
  };
  // Per sink, what was lost since the last call, or in all.
  std::vector<NamedLoss> take_losses();
  [[nodiscard]] std::vector<NamedLoss> losses_in_all() const;

 private:
  void on_sink_hello(Sink& sink) override;
  void on_sink_progress(Sink& sink) override;
  void on_sink_failed(Sink& sink, const std::string& reason) override;
  void check_ready();
  void check_delivered();
  void evict();
  // First number that this sink must not be sent yet.
  [[nodiscard]] std::uint64_t end_for(const Sink& sink) const;
  [[nodiscard]] std::uint64_t least_acknowledged() const;

  Loop& loop_;
  Listener& listener_;
  std::size_t most_bytes_;
  EventQueue queue_;
  std::vector<std::unique_ptr<Sink>> sinks_;
  bool all_named_ = false;
  bool ready_ = false;
  bool finishing_ = false;
  bool delivered_ = false;
};

}  // namespace oisp
