#include "probe-helper/forwarder.h"

#include <bpf/bpf.h>

#include <algorithm>

#include "base/clock.h"
#include "probe-helper/limits.h"

namespace oisp {
namespace {

constexpr std::size_t kCounterValues = sizeof(oisp_counters) / sizeof(std::uint64_t);

}  // namespace

void Forwarder::connect(OwnedFd connection) {
  channel_.connect(std::move(connection));
  hello_due_ = true;
  counters_due_ = drained_due_ = draining_;
  table_.report_all();
}

void Forwarder::drain() { draining_ = counters_due_ = drained_due_ = true; }

Frame Forwarder::hello() const {
  return encode_hello({.boot_time_offset_ns = read_clock_ns(CLOCK_REALTIME) - read_clock_ns(CLOCK_BOOTTIME),
                       .uprobes = kernel_.control().uprobe_multi != 0 ? "uprobe_multi" : "perf",
                       .max_capture = kMaxCapture,
                       .ring_bytes = ring_.size(),
                       .adopted = adopted_,
                       .missing = kernel_.missing()});
}

Frame Forwarder::counters() const {
  std::vector<oisp_counters> per_cpu(static_cast<std::size_t>(cpus_));
  const std::uint32_t zero = 0;
  std::array<std::uint64_t, kCounterValues> sums{};
  if (::bpf_map_lookup_elem(kernel_.fd(Kept::counters), &zero, per_cpu.data()) == 0) {
    for (const oisp_counters& one : per_cpu) {
      std::array<std::uint64_t, kCounterValues> values;
      static_assert(sizeof values == sizeof one);
      std::memcpy(values.data(), &one, sizeof one);
      std::transform(sums.begin(), sums.end(), values.begin(), sums.begin(), std::plus<>());
    }
  }
  return encode_counters(sums);
}

void Forwarder::ignore_stream(std::uint32_t tgid, std::uint64_t session) const {
  const oisp_session_key key{.session = session, .tgid = tgid, .reserved = 0};
  oisp_session value{};
  if (::bpf_map_lookup_elem(kernel_.fd(Kept::sessions), &key, &value) != 0) return;
  value.ignored = 1;
  (void)::bpf_map_update_elem(kernel_.fd(Kept::sessions), &key, &value, BPF_EXIST);
}

bool Forwarder::answer(const CollectorRequest& request) {
  switch (request.kind) {
    case CollectorRequest::Kind::credit:
      break;  // the channel's own
    case CollectorRequest::Kind::ignore_stream:
      ignore_stream(request.tgid, request.session);
      break;
    case CollectorRequest::Kind::ask_counters:
      counters_due_ = true;
      break;
    case CollectorRequest::Kind::release_file:
      table_.forget_unused({.device = request.device, .inode = request.inode});
      return true;
  }
  return false;
}

std::optional<Frame> Forwarder::next_frame() {
  if (std::exchange(hello_due_, false)) return hello();
  if (auto report = table_.next_report()) return report;
  if (std::exchange(counters_due_, false)) {
    Frame frame = counters();
    // What they count is in the ring by now. A process that goes on fills it further, for nobody.
    if (draining_) drain_until_ = ring_.producer();
    return frame;
  }
  if (drained_due_ && ring_.consumer() >= drain_until_) {
    drained_due_ = false;
    return encode_drained();
  }
  return {};
}

bool Forwarder::send_records() {
  const auto records = ring_.records(std::min<std::uint64_t>(kMostSpanBytes, channel_.credit()));
  if (records.empty()) return false;
  channel_.send_span(ring_, records);
  return true;
}

bool Forwarder::advance() {
  bool sent = false;
  bool released = false;
  while (auto request = channel_.receive()) released |= answer(*request);
  // Who has mapped one of them since the collector asked, is not without probes for long.
  if (released) announce_again(kernel_);
  channel_.flush();
  while (started_ && channel_.is_open() && !channel_.is_busy()) {
    if (auto frame = next_frame()) {
      channel_.send_frame(std::move(*frame));
    } else if (send_records()) {
      sent = true;
    } else {
      break;
    }
  }
  return sent;
}

bool Forwarder::is_blocked() const {
  if (!channel_.is_open() || channel_.is_busy()) return true;
  const std::size_t affordable = std::min<std::uint64_t>(kMostSpanBytes, channel_.credit());
  return affordable < kMostSpanBytes && ring_.records(affordable).empty() && !ring_.records(kMostSpanBytes).empty();
}

}  // namespace oisp
