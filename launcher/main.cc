// oisp-launcher: starts every process of a session with its own user and rights, connects them,
// starts again what dies, and leaves nothing behind.
//
// Trusted with: root. Reads: fixed-size orders from the command line (descriptor 0) and from the
// roles it started; it parses nothing. Signals nobody but its roles, except for SIGCONT.
// Not meant to be called by users: oisp-sensor does.
#include <fcntl.h>
#include <sched.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <type_traits>

#include "base/log.h"
#include "launcher/session.h"

namespace oisp {
namespace {

constexpr int kFailure = 1;
constexpr int kNoPermission = 3;
constexpr int kUnsupported = 4;

// The initial pid namespace has a fixed inode number (PROC_PID_INIT_INO of linux/proc_ns.h).
constexpr ino_t kInitialPidNamespace = 0xEFFFFFFC;

// The command line shows it to the user.
int refuse(int exit_status, const std::string& sentence) {
  Order order{.kind = OrderKind::failed, .detail = exit_status};
  order.set_text(sentence);
  if (!send_order(STDIN_FILENO, order)) std::fprintf(stderr, "oisp-launcher: %s\n", sentence.c_str());
  return exit_status;
}

bool is_command_line(int fd) {
  int domain = 0;
  int type = 0;
  socklen_t size = sizeof domain;
  if (::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0) return false;
  size = sizeof type;
  if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0) return false;
  return domain == AF_UNIX && type == SOCK_SEQPACKET;
}

// What the launcher needs and may give away; empty, or the names of what is missing.
std::string missing_capabilities() {
  constexpr cap_value_t kNeeded[] = {
      CAP_BPF,    CAP_PERFMON, CAP_SYS_ADMIN, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_CHECKPOINT_RESTORE,
      CAP_SETUID, CAP_SETGID,  CAP_SETPCAP,   CAP_KILL};
  using Caps = std::unique_ptr<std::remove_pointer_t<cap_t>, int (*)(void*)>;
  const Caps caps(::cap_get_proc(), ::cap_free);
  std::string missing;
  for (const cap_value_t capability : kNeeded) {
    cap_flag_value_t set = CAP_CLEAR;
    if (caps && ::cap_get_flag(caps.get(), capability, CAP_EFFECTIVE, &set) == 0 && set == CAP_SET) continue;
    const std::unique_ptr<char, int (*)(void*)> name(::cap_to_name(capability), ::cap_free);
    missing += " ";
    missing += name ? name.get() : "?";
  }
  return missing;
}

Status settle() {
  if (::prctl(PR_SET_NAME, "oisp-launcher", 0, 0, 0) != 0) return errno_fault("PR_SET_NAME");
  ::umask(077);
  if (::close_range(3, ~0U, 0) != 0) return errno_fault("close_range");
  (void)::signal(SIGPIPE, SIG_IGN);
  (void)::signal(SIGCHLD, SIG_DFL);  // an ignored one would take the wait status of roles
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return errno_fault("getrlimit");
  files.rlim_cur = std::min<rlim_t>(files.rlim_max, limits::kWantedFiles);
  if (::setrlimit(RLIMIT_NOFILE, &files) != 0) return errno_fault("setrlimit");
  // The launcher needs no network either; scanners share this empty one.
  if (::unshare(CLONE_NEWNET | CLONE_NEWIPC) != 0) return errno_fault("unshare");
  return Done{};
}

// All before the first role starts: what lies at these names later does not matter.
Result<Programs> open_programs() {
  std::string path(4096, '\0');
  const ssize_t length = ::readlink("/proc/self/exe", path.data(), path.size());
  if (length <= 0) return errno_fault("read /proc/self/exe");
  path.resize(static_cast<std::size_t>(length));
  path.resize(path.rfind('/') + 1);
  const OwnedFd folder(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return errno_fault("open " + path);
  Programs programs;
  for (const RoleEntry& entry : role_table()) {
    OwnedFd program(::openat(folder.get(), entry.program, O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!program) return errno_fault("open " + path + entry.program);
    programs[static_cast<std::size_t>(entry.kind)] = std::move(program);
  }
  return programs;
}

// Ctrl-C is CMD's alone, so the launcher has a session of its own. Where sudo has put it on a terminal
// of sudo's own (use_pty) that cannot be: then keys, which sudo passes on, say nothing to it.
Result<OwnedFd> make_signals() {
  const bool own_session = ::setsid() >= 0;
  sigset_t ending;
  ::sigemptyset(&ending);
  ::sigaddset(&ending, SIGTERM);
  for (const int signal : {SIGINT, SIGHUP}) {
    if (own_session) ::sigaddset(&ending, signal);
  }
  for (const int signal : {SIGINT, SIGHUP, SIGQUIT, SIGTSTP}) {
    if (!own_session) (void)::signal(signal, SIG_IGN);
  }
  if (::sigprocmask(SIG_BLOCK, &ending, nullptr) != 0) return errno_fault("sigprocmask");
  OwnedFd signals(::signalfd(-1, &ending, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals) return errno_fault("signalfd");
  return signals;
}

int launch() {
  if (!is_command_line(STDIN_FILENO)) {
    std::fprintf(stderr, "oisp-launcher: this is started by oisp-sensor record, not by hand.\n");
    return kNoPermission;
  }
  const std::string missing = missing_capabilities();
  if (::geteuid() != 0) return refuse(kNoPermission, "Capturing needs root.");
  if (!missing.empty())
    return refuse(kNoPermission, "Capturing needs capabilities that root has not got here:" + missing);
  struct stat space {};
  if (::stat("/proc/self/ns/pid", &space) != 0 || space.st_ino != kInitialPidNamespace) {
    return refuse(kUnsupported,
                  "This runs in a container's own pid namespace, where processes cannot be told apart; "
                  "run oisp-sensor on the host, or with --pid=host.");
  }
  if (const Status status = settle(); !status) return refuse(kFailure, status.error().text());
  auto programs = open_programs();
  if (!programs) return refuse(kFailure, "A part of the installation is missing: " + programs.error().text());
  auto signals = make_signals();
  if (!signals) return refuse(kFailure, signals.error().text());
  OwnedFd command_line(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3));
  if (!command_line || ::fcntl(command_line.get(), F_SETFL, O_RDWR | O_NONBLOCK) != 0)
    return refuse(kFailure, "Cannot keep the connection.");
  (void)::close(STDIN_FILENO);  // no role inherits it
  (void)::open("/dev/null", O_RDONLY);
  Session session(std::move(*programs), std::move(command_line), std::move(*signals));
  return session.run();
}

}  // namespace
}  // namespace oisp

int main() {
  oisp::set_log_name("oisp-launcher");
  return oisp::launch();
}
