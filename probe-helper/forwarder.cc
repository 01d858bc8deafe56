#include "probe-helper/forwarder.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/socket.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "base/bug.h"
#include "base/clock.h"
#include "base/log.h"

namespace oisp {
namespace {

// One span: large enough that a burst costs few system calls, small enough that a collector which
// stops reading is noticed within one.
constexpr std::size_t kMostSpanBytes = 256 * 1024;

// Credit beyond this means nothing more: the ring is smaller.
constexpr std::uint64_t kMostCredit = 1 << 30;

}  // namespace

void Forwarder::connect(OwnedFd connection) {
  close();
  connection_ = std::move(connection);
  hello_due_ = true;
  counters_due_ = drained_due_ = draining_;
  table_.report_all();
}

void Forwarder::close() {
  connection_.reset();
  body_ = {};
  credit_ = 0;
  request_bytes_ = 0;
}

void Forwarder::drain() { draining_ = counters_due_ = drained_due_ = true; }

oisp_hello Forwarder::hello() const {
  const oisp_control& control = kernel_.control();
  return {.boot_time_offset_ns = read_clock_ns(CLOCK_REALTIME) - read_clock_ns(CLOCK_BOOTTIME),
          .ring_bytes = ring_.size(),
          .max_capture = kMaxCapture,
          .missing_hooks = control.missing_hooks,
          .uprobe_multi = control.uprobes.multi,
          .adopted = adopted_ ? 1u : 0u};
}

// Sums over all CPUs.
oisp_counters Forwarder::counters() const {
  constexpr std::size_t kValues = sizeof(oisp_counters) / sizeof(std::uint64_t);
  std::vector<std::uint64_t> per_cpu(kValues * static_cast<std::size_t>(::libbpf_num_possible_cpus()));
  const std::uint32_t zero = 0;
  std::array<std::uint64_t, kValues> sums{};
  if (::bpf_map_lookup_elem(kernel_.fd(OISP_PART_COUNTERS), &zero, per_cpu.data()) == 0) {
    for (std::size_t i = 0; i < per_cpu.size(); ++i) sums[i % kValues] += per_cpu[i];
  }
  return std::bit_cast<oisp_counters>(sums);
}

void Forwarder::answer(const CollectorRequest& request) {
  const oisp_session_key key{.session = request.session, .tgid = request.tgid, .reserved = 0};
  oisp_session session{};
  switch (request.kind) {
    case CollectorRequest::Kind::credit:
      credit_ = std::min(kMostCredit, credit_ + std::min(kMostCredit, request.credit_bytes));
      break;
    case CollectorRequest::Kind::ignore_stream:
      if (::bpf_map_lookup_elem(kernel_.fd(OISP_PART_SESSIONS), &key, &session) != 0) break;
      session.ignored = 1;
      (void)::bpf_map_update_elem(kernel_.fd(OISP_PART_SESSIONS), &key, &session, BPF_EXIST);
      break;
    case CollectorRequest::Kind::ask_counters:
      counters_due_ = true;
      break;
    case CollectorRequest::Kind::release_file:
      table_.forget_unused({.device = request.device, .inode = request.inode});
      announce_due_ = true;
      break;
  }
}

// True if there was a whole request, or its end.
bool Forwarder::receive() {
  const ssize_t got =
      ::recv(connection_.get(), request_.data() + request_bytes_, request_.size() - request_bytes_, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (got <= 0) {
    close();
    return false;
  }
  request_bytes_ += static_cast<std::size_t>(got);
  if (request_bytes_ < request_.size()) return true;
  request_bytes_ = 0;
  const auto request = decode_request(request_);
  if (request) {
    answer(*request);
  } else {
    log_warning("the collector sent what is not a request: its connection is closed");
    close();
  }
  return connection_.valid();
}

void Forwarder::send(HelperSays kind, std::span<const std::byte> bytes) {
  body_is_span_ = kind == HelperSays::records;
  head_ = make_frame_head(kind, body_is_span_ ? ring_.consumer() : 0, bytes.size());
  body_ = bytes;
  sent_ = 0;
  flush();
}

template <typename T>
void Forwarder::send(HelperSays kind, const T& what) {
  static_assert(sizeof what <= sizeof small_ && sizeof what % 8 == 0);
  std::memcpy(small_.data(), &what, sizeof what);
  send(kind, {small_.data(), sizeof what});
}

// Goes on with what was begun, as far as the connection takes it. The ring's consumer position moves
// once a span has left whole.
void Forwarder::flush() {
  while (connection_ && is_busy()) {
    const std::size_t of_head = std::min(sent_, head_.size());
    const auto rest = body_.subspan(sent_ - of_head);
    // sendmsg only reads them.
    iovec parts[] = {{.iov_base = head_.data() + of_head, .iov_len = head_.size() - of_head},
                     {.iov_base = const_cast<std::byte*>(rest.data()), .iov_len = rest.size()}};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = std::size(parts);
    const ssize_t sent = ::sendmsg(connection_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno != EAGAIN) close();
    if (sent < 0) return;
    sent_ += static_cast<std::size_t>(sent);
    if (sent_ < head_.size() + body_.size()) continue;
    if (body_is_span_) ring_.consume(body_.size());
    body_ = {};
  }
}

std::span<const std::byte> Forwarder::affordable_records() const {
  return ring_.records(std::min<std::uint64_t>(kMostSpanBytes, credit_));
}

bool Forwarder::send_records() {
  const auto records = affordable_records();
  if (records.empty()) return false;
  credit_ -= records.size();
  send(HelperSays::records, records);
  return true;
}

// What comes before the next span, if there is something.
bool Forwarder::send_next() {
  if (std::exchange(hello_due_, false)) {
    send(HelperSays::hello, hello());
  } else if (const oisp_file_report* report = table_.next_report()) {
    send(HelperSays::file, *report);
  } else if (std::exchange(counters_due_, false)) {
    send(HelperSays::counters, counters());
    // What they count is in the ring by now. A process that goes on fills it further, for nobody.
    if (draining_) drain_until_ = ring_.producer();
  } else if (drained_due_ && ring_.consumer() >= drain_until_) {
    drained_due_ = false;
    send(HelperSays::drained, drain_until_);
  } else {
    return false;
  }
  return true;
}

bool Forwarder::advance(bool stirred) {
  while (stirred && connection_ && receive()) {
  }
  // Who has mapped one of them since the collector asked, is not without probes for long.
  if (std::exchange(announce_due_, false)) announce_mappings(kernel_);
  flush();
  bool sent = false;
  while (started_ && connection_ && !is_busy()) {
    if (send_next()) continue;
    if (!send_records()) break;
    sent = true;
  }
  return sent;
}

void Forwarder::add_polled(std::vector<pollfd>& polled) const {
  const short events = is_busy() ? POLLIN | POLLOUT : POLLIN;
  if (connection_) polled.push_back({.fd = connection_.get(), .events = events, .revents = 0});
}

bool Forwarder::is_blocked() const {
  if (!connection_ || is_busy()) return true;
  return credit_ < kMostSpanBytes && affordable_records().empty() && !ring_.records(kMostSpanBytes).empty();
}

}  // namespace oisp
