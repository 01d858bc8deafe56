// oisp-probe-helper: loads the sensor's own programs, attaches them where it may, and forwards what
// they record, unread.
//
// Trusted with: CAP_BPF and CAP_PERFMON, and CAP_SYS_ADMIN where the kernel has perf uprobes alone.
// Trusts: its launcher and the kernel. The opener's and the scanner's answers are of fixed size and
// checked; the collector's requests are decoded in one place (decode_request) and can only narrow.
#include <bpf/libbpf.h>
#include <malloc.h>
#include <sys/capability.h>
#include <sys/prctl.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "base/log.h"
#include "base/sandbox.h"
#include "probe-helper/file-flow.h"
#include "probe-helper/forwarder.h"
#include "probe-helper/limits.h"
#include "probe-helper/setup.h"

namespace oisp {
namespace {

constexpr const char* kAllowed[] = {"bpf",   "perf_event_open", "ioctl",   "ppoll",    "poll",
                                    "fcntl", "pread64",         "recvmsg", "recvfrom", "sendmsg"};
constexpr int kCapabilities[] = {CAP_BPF, CAP_PERFMON};
constexpr int kCapabilitiesForPerf[] = {CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN};
constexpr std::uint64_t kMostOpenFiles = 512;

// All that serves while the session lasts.
class Session {
 public:
  Session(Started started, Store store, Ring events, Ring files, int cpus)
      : kernel_(std::move(started.kernel)),
        table_(kernel_, started.uprobes, store),
        flow_(table_, store, std::move(files)),
        forwarder_(kernel_, table_, std::move(events), cpus, started.adopted) {}

  KernelSide kernel_;
  FileTable table_;
  FileFlow flow_;
  Forwarder forwarder_;
};

// What the session has come to; bits of Permission::phases.
enum Phase : unsigned {
  kSetup = 1,     // being told what to do
  kStarting = 2,  // attaching to the files given
  kRunning = 4,
  kDraining = 8,  // sending what is left
};
constexpr unsigned kStarted = kStarting | kRunning | kDraining;

class Helper;

// Which order is allowed when, and what answers it. What is not in the table is refused, and ends the
// helper: the launcher, which alone has the other end, never sends it.
struct Permission {
  OrderKind kind;
  unsigned phases;
  bool with_fd;
  bool (Helper::*answer)(ReceivedOrder&);  // false: the session is over
};

class Helper {
 public:
  // Answers orders until the session is over; the exit status.
  int run();

 private:
  bool serve_order();
  bool answer_config(ReceivedOrder& received);
  bool answer_watch(ReceivedOrder& received);
  bool answer_file(ReceivedOrder& received);
  bool answer_adopt(ReceivedOrder& received);
  bool answer_begin(ReceivedOrder& received);
  bool answer_collector(ReceivedOrder& received);
  bool answer_opener(ReceivedOrder& received);
  bool answer_scanner(ReceivedOrder& received);
  bool answer_drain(ReceivedOrder& received);
  bool refuse(const Refusal& refusal);
  void reply(OrderKind kind) const { (void)send_order(kOrdersFd, {.kind = kind}); }
  void wait();

  static constexpr Permission kPermissions[] = {
      {OrderKind::config, kSetup, false, &Helper::answer_config},
      {OrderKind::adopt, kSetup, true, &Helper::answer_adopt},
      {OrderKind::watch, kSetup, false, &Helper::answer_watch},
      {OrderKind::file, kSetup, true, &Helper::answer_file},
      {OrderKind::begin, kSetup, false, &Helper::answer_begin},
      {OrderKind::collector, kSetup | kStarted, true, &Helper::answer_collector},
      {OrderKind::opener, kSetup | kStarted, true, &Helper::answer_opener},
      {OrderKind::scanner, kStarted, true, &Helper::answer_scanner},
      {OrderKind::drain, kStarted, false, &Helper::answer_drain},
  };

  Phase phase_ = kSetup;
  Store store_{kStoreFd};
  Task task_;
  OwnedFd first_collector_;
  OwnedFd first_opener_;
  std::unique_ptr<Session> session_;
  int empty_naps_ = 0;
};

bool Helper::answer_config(ReceivedOrder& received) {
  const Order& order = received.order;
  if (order.name_view() == "uprobes") task_.force_perf = order.text_view() == "perf";
  if (order.name_view() == "hold_new_files") task_.hold = order.text_view() != "0";
  return true;
}

bool Helper::answer_watch(ReceivedOrder& received) {
  const Order& order = received.order;
  task_.watches.push_back({.tgid = static_cast<std::uint32_t>(order.value), .quiet = order.detail == 1});
  return true;
}

bool Helper::answer_file(ReceivedOrder& received) {
  auto key = key_of(received.fd.get());
  if (key && task_.files.size() < kMostFirstFiles) {
    task_.files.push_back(
        {.key = *key, .fd = std::move(received.fd), .tgid = 0, .name = std::string(received.order.name_view())});
  } else {
    log_warning("a file that cannot be probed was given");
  }
  return true;
}

bool Helper::answer_adopt(ReceivedOrder& received) {
  const std::string name(received.order.name_view());
  // The launcher holds the links; here their names are enough.
  if (name.starts_with("link:")) received.fd.reset();
  task_.adopted[name] = std::move(received.fd);
  return true;
}

bool Helper::answer_collector(ReceivedOrder& received) {
  if (session_) {
    session_->forwarder_.connect(std::move(received.fd));
  } else {
    first_collector_ = std::move(received.fd);
  }
  return true;
}

bool Helper::answer_opener(ReceivedOrder& received) {
  if (session_) {
    session_->flow_.connect_opener(std::move(received.fd));
  } else {
    first_opener_ = std::move(received.fd);
  }
  return true;
}

bool Helper::answer_scanner(ReceivedOrder& received) {
  session_->flow_.connect_scanner(std::move(received.fd));
  return true;
}

bool Helper::refuse(const Refusal& refusal) {
  Order failed{.kind = OrderKind::failed, .detail = refusal.exit_status};
  if (refusal.sentence == "needs_sys_admin") {
    failed.set_name("needs_sys_admin");
    failed.set_text(
        "this kernel has perf uprobes only, which need CAP_SYS_ADMIN: run as root, and in a container add that "
        "capability");
  } else {
    failed.set_text(refusal.sentence);
  }
  (void)send_order(kOrdersFd, failed);
  return false;
}

bool Helper::answer_begin(ReceivedOrder& /*received*/) {
  auto started = start_kernel_side(task_, store_);
  if (!started) return refuse(started.error());
  const bool adopted = started->adopted;
  const bool multi = started->uprobes.multi;
  auto events = Ring::map(started->kernel.fd(Kept::events));
  auto files = Ring::map(started->kernel.fd(Kept::files));
  if (!events || !files) return refuse({.sentence = (events ? files : events).error().text()});
  session_ = std::make_unique<Session>(std::move(*started), store_, std::move(*events), std::move(*files),
                                       ::libbpf_num_possible_cpus());

  (void)::malloc_trim(0);  // the kernel's type information was large

  const Status sandboxed = apply_sandbox(
      {.allowed = kAllowed,
       .refused = {},
       .capabilities = multi ? std::span<const int>(kCapabilities) : std::span<const int>(kCapabilitiesForPerf),
       .most_files = kMostOpenFiles});
  if (!sandboxed) return refuse({.sentence = sandboxed.error().text()});

  if (adopted) {
    std::set<std::string> links;
    for (const auto& [name, fd] : task_.adopted) links.insert(name);
    session_->table_.adopt(links);
    announce_again(session_->kernel_);
  }
  bool all_quiet = !task_.watches.empty();
  for (const Task::Watch& watch : task_.watches) all_quiet = all_quiet && watch.quiet;
  session_->kernel_.control().hold = task_.hold && all_quiet ? 1 : 0;
  if (first_collector_) session_->forwarder_.connect(std::move(first_collector_));
  if (first_opener_) session_->flow_.connect_opener(std::move(first_opener_));
  for (PendingFile& file : task_.files) {
    if (!session_->table_.knows(file.key)) session_->flow_.admit(std::move(file));
  }
  task_ = {};
  phase_ = kStarting;
  return true;
}

bool Helper::answer_drain(ReceivedOrder& /*received*/) {
  session_->kernel_.control().hold = 0;
  session_->forwarder_.start();
  session_->forwarder_.drain();
  phase_ = kDraining;
  return true;
}

// False: the session is over.
bool Helper::serve_order() {
  auto received = receive_order(kOrdersFd);
  if (!received) log_error("%s", received.error().text().c_str());
  if (!received || !*received) return false;
  ReceivedOrder& got = **received;
  for (const Permission& row : kPermissions) {
    if (row.kind != got.order.kind || (row.phases & phase_) == 0 || row.with_fd != got.fd.valid()) continue;
    return (this->*row.answer)(got);
  }
  log_error("order %u is not permitted now", static_cast<unsigned>(got.order.kind));
  return false;
}

// Until there is something to do; see limits.h about naps and sleep.
void Helper::wait() {
  std::vector<pollfd> polled{{.fd = kOrdersFd, .events = POLLIN, .revents = 0}};
  const CollectorChannel& channel = session_->forwarder_.channel();
  if (channel.is_open()) {
    const short events = channel.is_busy() ? POLLIN | POLLOUT : POLLIN;
    polled.push_back({.fd = channel.fd(), .events = events, .revents = 0});
  }
  session_->flow_.add_polled(polled);
  long pause_ns = kFirstNap_ns << empty_naps_;
  oisp_control& control = session_->kernel_.control();
  bool asleep = false;
  if (session_->forwarder_.is_blocked()) {
    pause_ns = kBlocked_ns;
  } else if (empty_naps_ == kEmptyNaps) {
    // From here on a producer wakes us; what came before, is seen now.
    __atomic_store_n(&control.sleeping, 1, __ATOMIC_SEQ_CST);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    asleep = session_->forwarder_.ring().is_empty() && session_->flow_.ring().is_empty();
    if (asleep) {
      pause_ns = kSleep_ns;
      for (const Kept ring : {Kept::events, Kept::files}) {
        polled.push_back({.fd = session_->kernel_.fd(ring), .events = POLLIN, .revents = 0});
      }
    }
  }
  const timespec pause{.tv_sec = 0, .tv_nsec = pause_ns};
  const bool empty = ::ppoll(polled.data(), polled.size(), &pause, nullptr) == 0;
  if (empty && empty_naps_ < kEmptyNaps) ++empty_naps_;
  __atomic_store_n(&control.sleeping, 0, __ATOMIC_SEQ_CST);
}

int Helper::run() {
  while (phase_ == kSetup) {
    if (!serve_order()) return 0;
  }
  for (;;) {
    pollfd orders{.fd = kOrdersFd, .events = POLLIN, .revents = 0};
    while (::poll(&orders, 1, 0) == 1) {
      if (!serve_order()) return 0;
    }
    session_->flow_.advance();
    if (session_->forwarder_.advance()) empty_naps_ = 0;
    if (phase_ == kStarting && session_->flow_.is_at_rest()) {
      phase_ = kRunning;
      session_->forwarder_.start();
      reply(OrderKind::ready);
    }
    wait();
  }
}

}  // namespace
}  // namespace oisp

int main() {
  (void)::prctl(PR_SET_NAME, "oisp-helper", 0, 0, 0);
  oisp::set_log_name("oisp-probe-helper");
  return oisp::Helper().run();
}
