// oisp-probe-helper: loads the sensor's own programs, attaches them where it may, and forwards what
// they record, unread.
//
// Trusted with: CAP_BPF and CAP_PERFMON, and CAP_SYS_ADMIN where the kernel has perf uprobes alone.
// Trusts: its launcher, its supervisor and the kernel. The opener's and the scanner's answers and the
// collector's requests are of fixed size and checked; the collector's can only narrow.
#include <malloc.h>
#include <sys/capability.h>
#include <sys/prctl.h>

#include <algorithm>
#include <bit>

#include "base/log.h"
#include "base/sandbox.h"
#include "probe-helper/file-flow.h"
#include "probe-helper/forwarder.h"

namespace oisp {
namespace {

constexpr const char* kAllowed[] = {"bpf",     "perf_event_open", "ioctl",    "ppoll",   "poll",      "fcntl",
                                    "pread64", "recvmsg",         "recvfrom", "sendmsg", "socketpair"};
// The last one for perf uprobes only.
constexpr int kCapabilities[] = {CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN};
constexpr std::uint64_t kMostOpenFiles = 512;

// A drained ring is looked at again after this time; if nothing came, the helper sleeps until the kernel
// wakes it, and lets the same time pass before it looks: what follows a record mostly follows soon, and
// goes with it. A wake-up costs the watched program some 20 us, and a nap costs the helper as much.
constexpr timespec kNap{.tv_sec = 0, .tv_nsec = 500'000};
// Sleeping has an end only so that deadlines are looked at: a producer's exchange of the sleeping flag
// and the helper's last look at the rings cannot both miss the other.
constexpr long kSleep_ns = 500'000'000;
// How often the files' ring is looked at while the collector takes nothing.
constexpr long kBlocked_ns = 5'000'000;

// All that serves while the session lasts.
struct Session {
  Session(KernelSide parts, bool adopted)
      : kernel(std::move(parts)), table(kernel), flow(table, kernel.new_files()), forwarder(kernel, table, adopted) {}

  KernelSide kernel;
  FileTable table;
  FileFlow flow;
  Forwarder forwarder;
};

class Helper {
 public:
  // Answers orders until the session is over; the exit status.
  int run();

 private:
  bool serve_orders();
  bool answer(ReceivedOrder& received);
  bool give(ReceivedOrder& received);
  bool start();
  static bool refuse(const Fault& why);
  void wait();

  Parts given_ = take_given_parts();
  std::vector<Watch> watches_;
  bool force_perf_ = false;
  std::uint64_t ring_bytes_ = kRingBytes;
  bool hold_ = true;
  std::unique_ptr<Session> session_;
  bool has_all_ = false;  // all has been said that is to be in place before `ready`
  bool is_ready_ = false;
  bool stirred_ = true;      // a descriptor may have something; else it is time alone that passed
  bool has_napped_ = false;  // since the last record
};

// The session is over.
bool Helper::refuse(const Fault& why) {
  Order failed{.kind = OrderKind::failed, .detail = why.error};
  failed.set_text(why.what);
  (void)send_order(kOrdersFd, failed);
  return false;
}

bool Helper::start() {
  auto kept = KernelSide::make(std::move(given_));
  const bool adopted = kept.ok();
  // Of one that died at its start, nothing is of use.
  for (unsigned key = 0; !adopted && key <= OISP_PART_LINKS; ++key) tell_launcher(OrderKind::forget, key);
  auto kernel = adopted ? std::move(*kept) : start_kernel_side(watches_, force_perf_, ring_bytes_);
  if (!kernel) return refuse(kernel.error());
  session_ = std::make_unique<Session>(std::move(*kernel), adopted);
  (void)::malloc_trim(0);  // the kernel's type information was large
  const bool is_multi = session_->kernel.control().uprobes.multi != 0;
  const Status sandboxed = apply_sandbox({.allowed = kAllowed,
                                          .refused = {},
                                          .capabilities = std::span(kCapabilities).first(is_multi ? 2 : 3),
                                          .most_files = kMostOpenFiles});
  if (!sandboxed) return refuse(sandboxed.error());
  const bool all_quiet = std::all_of(watches_.begin(), watches_.end(), [](const Watch& watch) { return watch.quiet; });
  session_->kernel.control().hold = hold_ && all_quiet && !watches_.empty() ? 1 : 0;
  if (adopted) session_->table.adopt();
  if (adopted || !all_quiet) announce_mappings(session_->kernel);
  return true;
}

// What comes with a descriptor. All of it needs a session: what is to be watched has been said by then.
bool Helper::give(ReceivedOrder& received) {
  if (!session_ && !start()) return false;
  if (received.order.kind == OrderKind::collector) {
    session_->forwarder.connect(std::move(received.fd));
  } else if (received.order.kind == OrderKind::opener) {
    session_->flow.connect_opener(std::move(received.fd));
  } else if (received.order.kind == OrderKind::file && !has_all_) {
    session_->flow.admit(std::move(received.fd), received.order.name_view());
  } else {
    return refuse(fault("a descriptor that is not permitted now"));
  }
  return true;
}

// False: the session is over. What is out of its place ends the helper: who gives orders never does that.
bool Helper::answer(ReceivedOrder& received) {
  const Order& order = received.order;
  if (received.fd) return give(received);
  if (order.kind == OrderKind::config && !session_) {
    if (order.name_view() == "uprobes") force_perf_ = order.text_view() == "perf";
    if (order.name_view() == "hold_new_files") hold_ = order.text_view() != "0";
    const std::uint64_t bytes = std::clamp(order.value, kLeastRingBytes, kMostRingBytes);
    if (order.name_view() == "buffer_size") ring_bytes_ = std::bit_ceil(bytes);
  } else if (order.kind == OrderKind::watch && !session_) {
    watches_.push_back({.tgid = static_cast<std::uint32_t>(order.value), .quiet = order.detail == 1});
  } else if (order.kind == OrderKind::begin && session_ && !has_all_) {
    has_all_ = true;
  } else if (order.kind == OrderKind::drain && has_all_) {
    session_->kernel.control().hold = 0;
    session_->forwarder.start();
    session_->forwarder.drain();
  } else {
    return refuse(fault("an order that is not permitted now"));
  }
  return true;
}

// All that is there; before the session, waits for one. False: the session is over.
bool Helper::serve_orders() {
  pollfd orders{.fd = kOrdersFd, .events = POLLIN, .revents = 0};
  while (!session_ || ::poll(&orders, 1, 0) == 1) {
    auto received = receive_order(kOrdersFd);
    if (!received || !*received || !answer(**received)) return false;
  }
  return true;
}

// Until there is something to do; see above about naps and sleep.
void Helper::wait() {
  std::vector<pollfd> polled{{.fd = kOrdersFd, .events = POLLIN, .revents = 0}};
  session_->forwarder.add_polled(polled);
  session_->flow.add_polled(polled);
  timespec pause = kNap;
  oisp_control& control = session_->kernel.control();
  if (session_->forwarder.is_blocked()) {
    pause.tv_nsec = kBlocked_ns;
  } else if (has_napped_) {
    // From here on a producer wakes us; what came before, is seen now.
    __atomic_store_n(&control.sleeping, 1, __ATOMIC_SEQ_CST);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (session_->kernel.events().is_empty() && session_->kernel.new_files().is_empty()) {
      pause.tv_nsec = kSleep_ns;
      for (const unsigned ring : {unsigned{OISP_PART_EVENTS}, unsigned{OISP_PART_FILES}}) {
        polled.push_back({.fd = session_->kernel.fd(ring), .events = POLLIN, .revents = 0});
      }
    }
  }
  stirred_ = ::ppoll(polled.data(), polled.size(), &pause, nullptr) != 0;
  __atomic_store_n(&control.sleeping, 0, __ATOMIC_SEQ_CST);
  has_napped_ |= !stirred_;
  // Files are waited for.
  const bool woken = stirred_ && pause.tv_nsec == kSleep_ns && session_->kernel.new_files().is_empty();
  if (woken) (void)::ppoll(nullptr, 0, &kNap, nullptr);
}

int Helper::run() {
  while (!stirred_ || serve_orders()) {
    session_->flow.advance(stirred_);
    if (session_->forwarder.advance(stirred_)) has_napped_ = false;
    if (has_all_ && !is_ready_ && session_->flow.is_at_rest()) {
      is_ready_ = true;
      session_->forwarder.start();
      (void)send_order(kOrdersFd, {.kind = OrderKind::ready});
    }
    wait();
  }
  return 0;
}

}  // namespace
}  // namespace oisp

int main() {
  (void)::prctl(PR_SET_NAME, "oisp-helper", 0, 0, 0);
  oisp::set_log_name("oisp-probe-helper");
  return oisp::Helper().run();
}
