// Sends to the collector, in this order: hello, what became of files, the kernel's records, and at
// the end the counters. What one connection has not taken whole, the next one gets.
#pragma once

#include <optional>

#include "probe-helper/collector-channel.h"
#include "probe-helper/file-table.h"
#include "probe-helper/ring.h"

namespace oisp {

class Forwarder {
 public:
  Forwarder(const KernelSide& kernel, FileTable& table, Ring ring, int cpus, bool adopted)
      : kernel_(kernel), table_(table), ring_(std::move(ring)), cpus_(cpus), adopted_(adopted) {}

  void connect(OwnedFd connection);
  // Nothing is sent before: hello says that the first probes are in place.
  void start() { started_ = true; }
  [[nodiscard]] const CollectorChannel& channel() const { return channel_; }
  [[nodiscard]] const Ring& ring() const { return ring_; }
  // Send what is in the ring now, then say that it was all.
  void drain();
  // Answers requests and sends what can be sent. True if a span left.
  bool advance();
  // Records are there, but the collector does not take them now: looking at the ring is no use.
  [[nodiscard]] bool is_blocked() const;

 private:
  // True where files were let go of.
  bool answer(const CollectorRequest& request);
  void ignore_stream(std::uint32_t tgid, std::uint64_t session) const;
  std::optional<Frame> next_frame();
  bool send_records();
  [[nodiscard]] Frame hello() const;
  [[nodiscard]] Frame counters() const;

  const KernelSide& kernel_;
  FileTable& table_;
  Ring ring_;
  CollectorChannel channel_;
  int cpus_;
  bool adopted_;
  bool started_ = false;
  bool hello_due_ = false;
  bool counters_due_ = false;
  bool drained_due_ = false;
  bool draining_ = false;
  std::uint64_t drain_until_ = 0;  // ring position
};

}  // namespace oisp
