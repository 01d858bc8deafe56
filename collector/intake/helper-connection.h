// The collector's end of the probe channel: receives frames, hands on what they say, and grants credit for
// the bytes of ring that were consumed.
#pragma once

#include <cstdint>
#include <memory>

#include "base/event-loop/byte-stream.h"
#include "collector/intake/frame-buffer.h"
#include "collector/intake/probe-message.h"

namespace oisp {

class HelperConnection : private ByteStream::Listener {
 public:
  // Who is told. Spans are views into the receive buffer, for the length of the call.
  class Receiver {
   public:
    virtual ~Receiver() = default;
    virtual void on_hello(const HelperHello& hello) = 0;
    virtual void on_span(const RecordSpan& span) = 0;
    virtual void on_file(const FileReport& report) = 0;
    virtual void on_counters(const oisp_counters& sums) = 0;
    virtual void on_drained() = 0;
    // All that has arrived by now was handed on.
    virtual void on_idle() = 0;
    // The helper is gone, or said something malformed. The connection may be destroyed in this call.
    virtual void on_helper_gone() = 0;
  };

  // Does not read before start().
  static Result<std::unique_ptr<HelperConnection>> make(Loop& loop, OwnedFd fd, Receiver& receiver);
  // Grants the first credit and reads.
  void start();
  void ask_counters();
  void release_file(const oisp_file_key& file);
  // No more of this stream is to be captured.
  void ignore_stream(std::uint32_t tgid, std::uint64_t session);

 private:
  explicit HelperConnection(Receiver& receiver);
  std::span<std::byte> read_space() override { return frames_.space(); }
  bool on_bytes(std::size_t bytes) override;
  void on_end() override;
  // False where the message is malformed.
  bool take_frame(std::span<const std::byte> frame);
  void consumed(std::uint64_t bytes);
  void grant(std::uint64_t bytes);

  Receiver& receiver_;
  FrameBuffer frames_;
  bool said_hello_ = false;
  std::uint64_t to_grant_ = 0;
  std::unique_ptr<ByteStream> stream_;
};

}  // namespace oisp
