// Sends to the collector, in this order: hello, what became of files, the kernel's records, and at the
// end the counters; and hears its requests. Nothing blocks, nothing grows. What one connection has not
// taken whole, the next one gets: a span because the ring still has it, the rest because it starts anew.
// The peer is less trusted: whatever it sends that is not a request closes the connection.
#pragma once

#include <poll.h>

#include <array>
#include <vector>

#include "ipc-schema/helper-codec.h"
#include "probe-helper/file-table.h"
#include "probe-helper/ring.h"

namespace oisp {

class Forwarder {
 public:
  Forwarder(KernelSide& kernel, FileTable& table, bool adopted)
      : kernel_(kernel), table_(table), ring_(kernel.events()), adopted_(adopted) {}

  void connect(OwnedFd connection);
  // Nothing is sent before: hello says that the first probes are in place.
  void start() { started_ = true; }
  // Send what is in the ring now, then say that it was all.
  void drain();

  // The descriptor to wait for, if there is one.
  void add_polled(std::vector<pollfd>& polled) const;
  // Answers requests, if there may be some, and sends what can be sent. True if a span left.
  bool advance(bool stirred);
  // Records are there, but the collector does not take them now: looking at the ring is no use.
  [[nodiscard]] bool is_blocked() const;

 private:
  void close();
  bool receive();
  void answer(const CollectorRequest& request);
  void send(HelperSays kind, std::span<const std::byte> bytes);
  template <typename T>
  void send(HelperSays kind, const T& what);
  void flush();
  bool send_next();
  bool send_records();
  [[nodiscard]] oisp_hello hello() const;
  [[nodiscard]] oisp_counters counters() const;
  [[nodiscard]] bool is_busy() const { return !body_.empty(); }
  [[nodiscard]] std::span<const std::byte> affordable_records() const;

  const KernelSide& kernel_;
  FileTable& table_;
  Ring& ring_;
  bool adopted_;
  bool started_ = false;
  bool hello_due_ = false;
  bool counters_due_ = false;
  bool drained_due_ = false;
  bool draining_ = false;
  bool announce_due_ = false;
  std::uint64_t drain_until_ = 0;  // ring position

  OwnedFd connection_;
  FrameHead head_{};
  std::span<const std::byte> body_;  // what is being sent after the head: of the ring, or of `small_`
  bool body_is_span_ = false;
  std::size_t sent_ = 0;  // of both
  std::array<std::byte, 512> small_{};
  std::uint64_t credit_ = 0;
  std::array<std::byte, kRequestBytes> request_{};
  std::size_t request_bytes_ = 0;
};

}  // namespace oisp
