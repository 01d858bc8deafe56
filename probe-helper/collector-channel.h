// The connection with the collector: frames and spans out, requests in; nothing blocks, nothing
// grows. The peer is less trusted: whatever it sends that is not a request closes the connection.
#pragma once

#include <array>
#include <cstddef>
#include <optional>

#include "base/owned-fd.h"
#include "ipc-schema/helper-codec.h"
#include "probe-helper/ring.h"
#include "probe-helper/span.h"

namespace oisp {

class CollectorChannel {
 public:
  // Takes a new connection in place of the old one. What the old one had not taken whole, is sent
  // again: a span because the ring still has it, a frame because the caller starts anew.
  void connect(OwnedFd connection);
  void close();

  [[nodiscard]] int fd() const { return connection_.get(); }
  [[nodiscard]] bool is_open() const { return connection_.valid(); }
  [[nodiscard]] bool is_busy() const { return sending_ != Sending::nothing; }
  [[nodiscard]] std::uint64_t credit() const { return credit_; }

  // Starts to send; only while not busy. A span costs credit, a frame none.
  void send_frame(Frame frame);
  void send_span(Ring& ring, std::span<const std::byte> records);
  // Goes on with what was started, as far as the connection takes it. The ring's consumer position
  // moves once a span has left whole.
  void flush();

  // Reads what came and gives the next request, if there is a whole one. Credit is kept here and
  // not given out.
  std::optional<CollectorRequest> receive();

 private:
  enum class Sending { nothing, frame, span };

  void fill();
  OwnedFd connection_;
  Sending sending_ = Sending::nothing;
  Frame frame_;
  SpanHead head_{};
  std::span<const std::byte> span_;
  Ring* ring_ = nullptr;
  std::size_t sent_ = 0;
  std::uint64_t credit_ = 0;
  std::array<std::byte, 4 * kMostRequestBytes> received_{};
  std::size_t received_bytes_ = 0;
};

}  // namespace oisp
