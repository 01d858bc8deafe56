// oisp-file-opener: opens the files that watched processes execute and map, for the helper, which
// probes them. It opens through /proc, as their process sees them: so deleted files, containers and
// overlays work, and no path is ever followed.
//
// Trusted with: reading any process's links in /proc, and any file (CAP_SYS_PTRACE,
// CAP_DAC_READ_SEARCH, CAP_CHECKPOINT_RESTORE). Reads: records of fixed size that the kernel side
// made and the helper passes on. It reads no content of any file that it opens.
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>

#include "base/log.h"
#include "base/message.h"
#include "base/pidfd.h"
#include "base/sandbox.h"
#include "ipc-schema/order.h"
#include "probe-helper/open-answer.h"

namespace oisp {
namespace {

// A mapping is announced some microseconds before it exists; on a loaded machine, some milliseconds.
constexpr long kFirstRetryNs = 100'000;
constexpr long kLongestRetryNs = 3'200'000;  // doubling: 6.3 ms in all
// What the kernel counts a process's start in, for user space (USER_HZ).
constexpr std::uint64_t kTickNs = 10'000'000;
// Of /proc/PID/stat: the start time is its 22nd field; the name, which may hold anything, its second.
constexpr int kFieldsFromNameToStart = 20;

constexpr const char* kAllowed[] = {"fcntl", "getdents64", "lseek",   "openat",  "pidfd_open",
                                    "poll",  "newfstatat", "recvmsg", "sendmsg", "statx"};
constexpr int kCapabilities[] = {CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_CHECKPOINT_RESTORE};

struct Attempt {
  int error = ESRCH;  // as in oisp_open_answer
  OwnedFd file = {};
  bool may_come = false;  // not mapped yet: worth another try soon
};

Attempt failed(int error) { return {.error = error == ENOENT ? ESRCH : error}; }

class Opener {
 public:
  explicit Opener(OwnedFd proc) : proc_(std::move(proc)) {}
  int run();

 private:
  bool serve_orders();
  void serve_helper();
  void answer(const oisp_file_record& record);
  [[nodiscard]] OwnedFd open_in(std::uint32_t tgid, const char* name, int flags) const;
  [[nodiscard]] OwnedFd open_process(const oisp_file_record& record) const;
  [[nodiscard]] Attempt open_mapped(const oisp_file_record& record) const;
  [[nodiscard]] Attempt open_file(const oisp_file_record& record) const;

  OwnedFd proc_;
  OwnedFd helper_;
};

// Of /proc/TGID.
OwnedFd Opener::open_in(std::uint32_t tgid, const char* name, int flags) const {
  char path[64];
  (void)std::snprintf(path, sizeof path, "%" PRIu32 "/%s", tgid, name);
  return OwnedFd(::openat(proc_.get(), path, flags | O_CLOEXEC | O_NOCTTY));
}

// The record's process, held by its descriptor: as long as it lives, its number is nobody else's. Invalid
// where it is gone, or the number is another's by now.
OwnedFd Opener::open_process(const oisp_file_record& record) const {
  OwnedFd process = open_pidfd(static_cast<pid_t>(record.header.tgid));
  const OwnedFd stat = open_in(record.header.tgid, "stat", O_RDONLY);
  char bytes[1024] = {};
  if (!process || !stat || ::read(stat.get(), bytes, sizeof bytes - 1) <= 0) return {};
  const char* at = std::strrchr(bytes, ')');
  for (int i = 0; i < kFieldsFromNameToStart && at != nullptr; ++i) at = std::strchr(at + 1, ' ');
  const std::uint64_t ticks = at == nullptr ? 0 : std::strtoull(at, nullptr, 10);
  const std::uint64_t wanted = record.header.start_ns / kTickNs;
  if (ticks + 1 < wanted || ticks > wanted + 1) return {};
  return process;
}

// The file behind a link of /proc, if it is the record's.
Attempt open_link(int folder, const char* name, std::uint64_t inode) {
  struct stat status {};
  if (::fstatat(folder, name, &status, 0) != 0) return failed(errno);
  if (status.st_ino != inode) return {};
  // Before it is opened: a device would notice.
  if (!S_ISREG(status.st_mode)) return failed(ENOTSUP);
  OwnedFd file(::openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!file || ::fstat(file.get(), &status) != 0) return failed(errno);
  if (status.st_ino != inode || !S_ISREG(status.st_mode)) return {};
  return {.error = 0, .file = std::move(file)};
}

// A mapping anywhere in the announced place. The kernel announces a mapping before it exists, and the
// loader then lays segments over it: any part of the same file will do.
Attempt Opener::open_mapped(const oisp_file_record& record) const {
  const OwnedFd folder = open_in(record.header.tgid, "map_files", O_RDONLY | O_DIRECTORY);
  const int copy = folder ? ::fcntl(folder.get(), F_DUPFD_CLOEXEC, 0) : -1;
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(copy < 0 ? nullptr : ::fdopendir(copy), ::closedir);
  if (!entries) return failed(errno);
  Attempt attempt{.may_come = true};
  while (const dirent* entry = ::readdir(entries.get())) {
    // Its name is a range: two hexadecimal numbers with a dash.
    char* rest = nullptr;
    const std::uint64_t begin = std::strtoull(entry->d_name, &rest, 16);
    if (*rest != '-' || begin < record.address || begin - record.address >= record.size) continue;
    attempt = open_link(folder.get(), entry->d_name, record.file.inode);
    if (attempt.file) break;
    attempt.may_come = true;
  }
  return attempt;
}

Attempt Opener::open_file(const oisp_file_record& record) const {
  const OwnedFd process = open_process(record);
  if (!process) return {};
  Attempt attempt;
  if (record.source == OISP_FILE_FROM_EXEC) {
    const OwnedFd folder = open_in(record.header.tgid, "", O_PATH | O_DIRECTORY);
    attempt = folder ? open_link(folder.get(), "exe", record.file.inode) : failed(errno);
  } else {
    attempt = open_mapped(record);
    for (long pause_ns = kFirstRetryNs; attempt.may_come && pause_ns <= kLongestRetryNs; pause_ns *= 2) {
      const timespec pause{.tv_sec = 0, .tv_nsec = pause_ns};
      (void)::nanosleep(&pause, nullptr);
      attempt = open_mapped(record);
    }
  }
  // What was opened is its process's only if that still lives.
  pollfd end{.fd = process.get(), .events = POLLIN, .revents = 0};
  if (::poll(&end, 1, 0) != 0) return {};
  return attempt;
}

void Opener::answer(const oisp_file_record& record) {
  const Attempt attempt = open_file(record);
  const oisp_open_answer answer{.error = attempt.error, .tgid = record.header.tgid, .file = record.file};
  // A helper that is gone is started again, and asks again.
  const Status sent = send_message(helper_.get(), &answer, sizeof answer, attempt.file.get());
  if (!sent && sent.error().error != EPIPE) log_warning("the helper: %s", sent.error().text().c_str());
}

void Opener::serve_helper() {
  oisp_file_record record{};
  const auto received = receive_message(helper_.get(), &record, sizeof record, MSG_DONTWAIT);
  if (!received && received.error().error == EAGAIN) return;
  if (received && received.value()) return answer(record);
  if (!received) log_warning("the helper: %s", received.error().text().c_str());
  helper_.reset();
}

// False: the session is over.
bool Opener::serve_orders() {
  auto received = receive_order(kOrdersFd);
  if (!received || !received->has_value()) return false;
  ReceivedOrder& got = **received;
  if (got.order.kind == OrderKind::helper && got.fd) {
    helper_ = std::move(got.fd);
  } else if (got.order.kind != OrderKind::begin) {
    log_warning("an order that is not for the file-opener");
  }
  return true;
}

int Opener::run() {
  for (;;) {
    pollfd set[] = {{.fd = kOrdersFd, .events = POLLIN, .revents = 0},
                    {.fd = helper_.get(), .events = POLLIN, .revents = 0}};
    (void)::poll(set, std::size(set), -1);
    if (set[0].revents != 0 && !serve_orders()) return 0;
    if (set[1].revents != 0) serve_helper();
  }
}

int serve() {
  (void)::prctl(PR_SET_NAME, "oisp-opener", 0, 0, 0);
  OwnedFd proc(::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
  const Status sandboxed = apply_sandbox({.allowed = kAllowed, .capabilities = kCapabilities});
  if (proc && sandboxed) return Opener(std::move(proc)).run();
  log_error("cannot begin: %s", sandboxed ? "/proc cannot be opened" : sandboxed.error().text().c_str());
  return 1;
}

}  // namespace
}  // namespace oisp

int main() {
  oisp::set_log_name("oisp-file-opener");
  return oisp::serve();
}
