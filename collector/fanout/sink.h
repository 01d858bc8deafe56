// One sink: a place that events go to, through the exporter that happens to be connected.
//
// Exporters come and go; the sink remembers what was acknowledged, so the next exporter goes on from
// there. A sink never holds up another one, nor the decoding.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "base/event-loop/byte-stream.h"
#include "collector/fanout/event-queue.h"
#include "collector/fanout/exporter-message.h"
#include "collector/intake/frame-buffer.h"
#include "ipc-schema/order.h"
#include "ipc-schema/sink.h"

namespace oisp {

// Events that a sink did not get.
struct SinkLoss {
  std::uint64_t from = 0;
  std::uint64_t to = 0;
  std::uint64_t count = 0;
  std::uint64_t bytes = 0;
};

class Sink : private ByteStream::Listener {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void on_sink_hello(Sink& sink) = 0;
    // It acknowledged something, or can take more.
    virtual void on_sink_progress(Sink& sink) = 0;
    virtual void on_sink_failed(Sink& sink, const std::string& reason) = 0;
  };

  Sink(Loop& loop, Owner& owner, std::string name, SinkKind kind, bool after_file);

  // A connection with a fresh exporter; used once the one before has been read to its end.
  void add_connection(OwnedFd fd);
  // The run's events begin with `sequence`.
  void begin_at(std::uint64_t sequence);
  // Sends what the window lets it, of the events before `end`. `waited_for`: their acknowledgement is.
  void send(const EventQueue& queue, std::uint64_t end, bool waited_for);
  // Events before `sequence` leave the queue; those not acknowledged are lost for this sink.
  void evict_before(std::uint64_t sequence, const EventQueue& queue);
  void send_finish();

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] SinkKind kind() const { return kind_; }
  [[nodiscard]] bool after_file() const { return after_file_; }
  [[nodiscard]] bool said_hello() const { return said_hello_; }
  [[nodiscard]] bool connected() const { return stream_ != nullptr; }
  [[nodiscard]] bool failed() const { return failed_; }
  // What the last exporter found in the sink at its start.
  [[nodiscard]] std::uint64_t kept() const { return kept_; }
  [[nodiscard]] std::uint64_t acknowledged() const { return acknowledged_; }
  [[nodiscard]] bool idle() const { return !stream_ || stream_->unwritten_bytes() == 0; }
  // What was lost since the last call.
  SinkLoss take_loss();
  [[nodiscard]] const SinkLoss& loss_in_all() const { return loss_in_all_; }

 private:
  struct InFlight {
    std::uint64_t last;
    std::size_t bytes;
  };

  std::span<std::byte> read_space() override { return frames_.space(); }
  bool on_bytes(std::size_t bytes) override;
  void on_end() override;
  void on_written() override { owner_.on_sink_progress(*this); }
  bool take_frame(std::span<const std::byte> frame);
  bool take_hello(const ExporterHello& hello);
  bool take_acknowledge(std::uint64_t sequence);
  bool take_failure(const ExporterFailed& failure);
  void connect_next();

  Loop& loop_;
  Owner& owner_;
  std::string name_;
  SinkKind kind_;
  bool after_file_;
  FrameBuffer frames_;
  std::unique_ptr<ByteStream> stream_;
  std::deque<OwnedFd> next_connections_;
  bool greeted_ = false;     // this exporter said hello
  bool said_hello_ = false;  // an exporter of this sink did, once
  bool failed_ = false;
  bool begun_ = false;
  std::uint64_t kept_ = 0;
  std::uint64_t acknowledged_ = 0;
  std::uint64_t sent_ = 0;       // to this exporter
  std::uint64_t ever_sent_ = 0;  // to any
  std::deque<InFlight> in_flight_;
  std::size_t in_flight_bytes_ = 0;
  SinkLoss loss_;
  SinkLoss loss_in_all_;
};

}  // namespace oisp
