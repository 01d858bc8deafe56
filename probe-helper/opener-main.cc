// oisp-file-opener: opens the files that watched processes execute and map, for the helper, which
// probes them.
//
// Trusted with: reading any process's links in /proc, and any file (CAP_SYS_PTRACE,
// CAP_DAC_READ_SEARCH, CAP_CHECKPOINT_RESTORE). Reads: records of fixed size that the kernel side
// made and the helper passes on. It reads no content of any file that it opens.
#include <fcntl.h>
#include <poll.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <deque>

#include "base/clock.h"
#include "base/log.h"
#include "base/message.h"
#include "base/sandbox.h"
#include "ipc-schema/order.h"
#include "probe-helper/open-file.h"

namespace oisp {
namespace {

// A mapping is announced some microseconds before it exists; on a loaded machine, some milliseconds.
constexpr std::int64_t kFirstRetryNs = 100'000;
constexpr std::int64_t kLongestRetryNs = 3'200'000;  // doubling: 6.3 ms in all
// Files waiting for another try.
constexpr std::size_t kMostWaiting = 256;
constexpr std::uint64_t kMostFiles = 64 + kMostWaiting;

constexpr const char* kAllowed[] = {"fcntl", "getdents64", "lseek",   "openat",  "pidfd_open", "poll",
                                    "ppoll", "newfstatat", "recvmsg", "sendmsg", "statx"};
constexpr int kCapabilities[] = {CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_CHECKPOINT_RESTORE};

std::int64_t now_ns() { return read_clock_ns(CLOCK_MONOTONIC); }

struct Waiting {
  oisp_file_record record;
  OwnedFd process;
  std::int64_t at_ns;
  std::int64_t pause_ns;
};

class Opener {
 public:
  explicit Opener(OwnedFd proc) : proc_(std::move(proc)) {}
  int run();

 private:
  bool serve_orders();
  void serve_helper();
  void serve_waiting();
  void take(const oisp_file_record& record);
  void attempt(Waiting waiting);
  void answer(const oisp_file_record& record, const OpenAttempt& attempt);

  OwnedFd proc_;
  OwnedFd helper_;
  std::deque<Waiting> waiting_;
};

int Opener::run() {
  for (;;) {
    std::int64_t next = INT64_MAX;
    for (const Waiting& one : waiting_) next = std::min(next, one.at_ns);
    const std::int64_t left = std::max<std::int64_t>(next - now_ns(), 0);
    const timespec pause{.tv_sec = 0, .tv_nsec = std::min<std::int64_t>(left, kLongestRetryNs)};
    pollfd set[] = {{.fd = kOrdersFd, .events = POLLIN, .revents = 0},
                    {.fd = helper_.get(), .events = POLLIN, .revents = 0}};
    (void)::ppoll(set, std::size(set), waiting_.empty() ? nullptr : &pause, nullptr);
    if (set[0].revents != 0 && !serve_orders()) return 0;
    if (set[1].revents != 0) serve_helper();
    serve_waiting();
  }
}

// False: the session is over.
bool Opener::serve_orders() {
  auto received = receive_order(kOrdersFd);
  if (!received || !received->has_value()) return false;
  ReceivedOrder& got = **received;
  if (got.order.kind == OrderKind::helper && got.fd) {
    // What the helper before asked for is still to be probed: the new one gets those answers.
    serve_helper();
    helper_ = std::move(got.fd);
  } else if (got.order.kind != OrderKind::begin) {
    log_warning("an order that is not for the file-opener");
  }
  return true;
}

void Opener::serve_helper() {
  while (helper_) {
    oisp_file_record record{};
    const auto received = receive_message(helper_.get(), &record, sizeof record, MSG_DONTWAIT);
    if (!received && received.error().error == EAGAIN) return;
    if (received && received.value()) {
      take(record);
      continue;
    }
    if (!received) log_warning("the helper: %s", received.error().text().c_str());
    helper_.reset();
  }
}

void Opener::serve_waiting() {
  const std::int64_t now = now_ns();
  for (std::size_t left = waiting_.size(); left > 0; --left) {
    Waiting one = std::move(waiting_.front());
    waiting_.pop_front();
    if (one.at_ns > now) {
      waiting_.push_back(std::move(one));
    } else {
      attempt(std::move(one));
    }
  }
}

void Opener::take(const oisp_file_record& record) {
  OwnedFd process = open_process(proc_.get(), record);
  if (!process) return answer(record, {.outcome = OISP_OPEN_GONE, .error = 0, .file = {}});
  attempt({.record = record, .process = std::move(process), .at_ns = 0, .pause_ns = kFirstRetryNs});
}

void Opener::attempt(Waiting waiting) {
  const OpenAttempt result = open_file(proc_.get(), waiting.process.get(), waiting.record);
  if (!result.may_come || waiting.pause_ns > kLongestRetryNs || waiting_.size() >= kMostWaiting) {
    return answer(waiting.record, result);
  }
  waiting.at_ns = now_ns() + waiting.pause_ns;
  waiting.pause_ns *= 2;
  waiting_.push_back(std::move(waiting));
}

void Opener::answer(const oisp_file_record& record, const OpenAttempt& attempt) {
  const oisp_open_answer answer{.outcome = attempt.outcome,
                                .error = attempt.error,
                                .file = record.file,
                                .tgid = record.header.tgid,
                                .reserved = 0};
  if (!helper_) return;
  // A helper that is gone is started again, and finds the file by the next process that maps it.
  const Status sent = send_message(helper_.get(), &answer, sizeof answer, attempt.file.get());
  if (!sent && sent.error().error != EPIPE) log_warning("the helper: %s", sent.error().text().c_str());
}

int serve() {
  (void)::prctl(PR_SET_NAME, "oisp-opener", 0, 0, 0);
  OwnedFd proc(::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!proc) {
    log_error("cannot open /proc: %s", std::strerror(errno));
    return 1;
  }
  const Status sandboxed =
      apply_sandbox({.allowed = kAllowed, .capabilities = kCapabilities, .most_files = kMostFiles});
  if (!sandboxed) {
    log_error("%s", sandboxed.error().text().c_str());
    return 1;
  }
  return Opener(std::move(proc)).run();
}

}  // namespace
}  // namespace oisp

int main() {
  oisp::set_log_name("oisp-file-opener");
  return oisp::serve();
}
