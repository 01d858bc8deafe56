// oisp-launcher: does for the supervisor what needs root. It opens every program of the sensor, starts
// each with its own user and rights, holds descriptors for the helper, and leaves nothing behind.
//
// Trusted with: root. Reads: fixed-size orders from the supervisor and the helper; it parses nothing, and
// of the command line (descriptor 0) it reads nothing. Signals nobody but its roles, except for SIGCONT.
// Not meant to be called by users: oisp-sensor does.
#include <fcntl.h>
#include <sched.h>
#include <sys/capability.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <string>
#include <system_error>

#include "base/log.h"
#include "base/sandbox.h"
#include "launcher/hands.h"

namespace oisp {
namespace {

constexpr int kFailure = 1;
constexpr int kNoPermission = 3;
constexpr int kUnsupported = 4;
constexpr std::uint64_t kWantedFiles = 16384;  // descriptors: maps, programs, links

// The initial pid namespace has a fixed inode number (PROC_PID_INIT_INO of linux/proc_ns.h).
constexpr ino_t kInitialPidNamespace = 0xEFFFFFFC;

// The command line has a sentence for each, and shows what else there is to say.
int refuse(int exit_status, const std::string& text = {}, std::uint64_t missing_capabilities = 0) {
  Order order{.kind = OrderKind::failed, .detail = exit_status, .value = missing_capabilities};
  order.set_text(text);
  (void)send_order(STDIN_FILENO, order);
  return exit_status;
}

// A bit for each one that the launcher needs, or gives away, and has not got.
std::uint64_t missing_capabilities() {
  constexpr int kNeeded[] = {
      CAP_BPF,    CAP_PERFMON, CAP_SYS_ADMIN, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_CHECKPOINT_RESTORE,
      CAP_SETUID, CAP_SETGID,  CAP_SETPCAP,   CAP_KILL};
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct data[2] = {};
  (void)::capget(&header, data);
  const std::uint64_t has = data[0].effective | std::uint64_t{data[1].effective} << 32;
  std::uint64_t missing = 0;
  for (const int one : kNeeded) missing |= ~has & std::uint64_t{1} << one;
  return missing;
}

Status settle() {
  ::umask(077);
  if (::close_range(3, ~0U, 0) != 0) return errno_fault("close_range");
  (void)::signal(SIGPIPE, SIG_IGN);
  (void)::signal(SIGCHLD, SIG_DFL);  // an ignored one would take the wait status of roles
  OISP_TRY(limit_resource(RLIMIT_NOFILE, kWantedFiles));
  // The launcher needs no network either; scanners share this empty one.
  if (::unshare(CLONE_NEWNET | CLONE_NEWIPC) != 0) return errno_fault("unshare");
  return Done{};
}

// All before the first role starts: what lies at these names later does not matter.
Result<Programs> open_programs() {
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  if (error) return fault("read /proc/self/exe");
  Programs programs;
  for (std::size_t i = 0; i < kRoleKinds; ++i) {
    const std::string path = folder / kRolePrograms[i];
    programs[i] = OwnedFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!programs[i]) return errno_fault("open " + path);
  }
  return programs;
}

// Ctrl-C is CMD's alone, so the launcher has a session of its own, where that can be: sudo may have put it
// on a terminal of sudo's own (use_pty), and passes keys on. They say nothing to it.
Result<OwnedFd> make_signals() {
  (void)::setsid();
  for (const int signal : {SIGINT, SIGHUP, SIGQUIT, SIGTSTP}) (void)::signal(signal, SIG_IGN);
  sigset_t awaited;
  ::sigemptyset(&awaited);
  for (const int signal : {SIGTERM, SIGCHLD}) ::sigaddset(&awaited, signal);
  if (::sigprocmask(SIG_BLOCK, &awaited, nullptr) != 0) return errno_fault("sigprocmask");
  OwnedFd signals(::signalfd(-1, &awaited, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals) return errno_fault("signalfd");
  return signals;
}

int launch() {
  int type = 0;
  socklen_t size = sizeof type;
  if (::getsockopt(STDIN_FILENO, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_SEQPACKET) {
    std::fprintf(stderr, "oisp-launcher: this is started by oisp-sensor record, not by hand.\n");
    return kNoPermission;
  }
  if (::geteuid() != 0) return refuse(kNoPermission);
  if (const std::uint64_t missing = missing_capabilities(); missing != 0) return refuse(kNoPermission, {}, missing);
  struct stat space {};
  if (::stat("/proc/self/ns/pid", &space) != 0 || space.st_ino != kInitialPidNamespace) return refuse(kUnsupported);
  if (const Status status = settle(); !status) return refuse(kFailure, status.error().text());
  auto programs = open_programs();
  if (!programs) return refuse(kFailure, "A part of the installation is missing: " + programs.error().text());
  auto signals = make_signals();
  if (!signals) return refuse(kFailure, signals.error().text());
  OwnedFd command_line(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3));
  const OwnedFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!command_line || ::fcntl(command_line.get(), F_SETFL, O_RDWR | O_NONBLOCK) != 0 ||
      ::dup2(null.get(), STDIN_FILENO) < 0) {
    return refuse(kFailure, errno_fault("keep the connection").text());
  }
  return Hands(std::move(*programs), std::move(command_line), std::move(*signals)).run();
}

}  // namespace
}  // namespace oisp

int main() {
  oisp::set_log_name("oisp-launcher");
  return oisp::launch();
}
