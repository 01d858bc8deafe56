#include "launcher/role.h"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/sandbox.h"

namespace oisp {
namespace {

// Where the child parks descriptors before it puts them in their places, which are all below.
constexpr int kParking = 64;
static_assert(kFirstPartFd + kMostParts < kParking);

Status leave_surroundings(const RoleEntry& entry) {
  if (::setsid() < 0) return errno_fault("setsid");
  if (entry.own_network && ::unshare(CLONE_NEWNET | CLONE_NEWIPC) != 0) return errno_fault("unshare");
  if (::chdir("/") != 0) return errno_fault("chdir /");
  ::umask(077);
  sigset_t none;
  ::sigemptyset(&none);
  if (::sigprocmask(SIG_SETMASK, &none, nullptr) != 0) return errno_fault("sigprocmask");
  for (int signal = 1; signal < SIGRTMAX; ++signal) (void)::signal(signal, SIG_DFL);  // some cannot be set
  return Done{};
}

Status become(const RoleStart& start) {
  for (int capability = 0; capability < ::cap_max_bits(); ++capability) {
    const bool keep = std::ranges::find(start.entry.capabilities, capability) != start.entry.capabilities.end();
    if (!keep && ::cap_drop_bound(capability) != 0) return errno_fault("drop from bounding set");
  }
  if (::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) return errno_fault("PR_SET_KEEPCAPS");
  if (::setgroups(0, nullptr) != 0) return errno_fault("setgroups");
  if (::setresgid(start.uid, start.uid, start.uid) != 0) return errno_fault("setresgid");
  if (::setresuid(start.uid, start.uid, start.uid) != 0) return errno_fault("setresuid");
  // One more until the execution, which takes it: a program built under a umask of 077 is for its
  // owner alone.
  std::vector<int> kept(start.entry.capabilities.begin(), start.entry.capabilities.end());
  kept.push_back(CAP_DAC_OVERRIDE);
  OISP_TRY(set_capabilities(kept, start.entry.capabilities));
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno_fault("PR_SET_NO_NEW_PRIVS");
  return Done{};
}

// A change of uid clears the signal, so this comes after it; and the launcher may be gone by then.
Status die_with(pid_t launcher) {
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) return errno_fault("PR_SET_PDEATHSIG");
  if (::getppid() != launcher) return fault("the launcher is gone");
  return Done{};
}

// Puts each descriptor in its place; all others are close-on-exec. Returns the program's.
Result<int> place_descriptors(const RoleStart& start) {
  std::vector<int> parked;
  for (const int fd : start.descriptors) {
    parked.push_back(fd < 0 ? -1 : ::fcntl(fd, F_DUPFD_CLOEXEC, kParking));
    if (fd >= 0 && parked.back() < 0) return errno_fault("park a descriptor");
  }
  const int program = ::fcntl(start.program, F_DUPFD_CLOEXEC, kParking);
  if (program < 0) return errno_fault("park the program");
  for (std::size_t i = 0; i < parked.size(); ++i) {
    const int place = static_cast<int>(i);
    if (parked[i] < 0) {
      (void)::close(place);  // nothing there is as good
    } else if (::dup2(parked[i], place) < 0) {
      return errno_fault("place a descriptor");
    }
  }
  return program;
}

Status become_role(const RoleStart& start, pid_t launcher) {
  OISP_TRY(leave_surroundings(start.entry));
  auto program = place_descriptors(start);
  if (!program) return program.error();
  OISP_TRY(become(start));
  OISP_TRY(die_with(launcher));
  const char* level = std::getenv("OISP_LOG");
  const std::string log = std::string("OISP_LOG=") + (level != nullptr ? level : "");
  const char* environment[] = {"LANG=C", level != nullptr ? log.c_str() : nullptr, nullptr};
  const char* arguments[] = {program_of(start.entry.kind), nullptr};
  // It only reads them.
  (void)::execveat(*program, "", const_cast<char**>(arguments), const_cast<char**>(environment), AT_EMPTY_PATH);
  return errno_fault("execute");
}

}  // namespace

Result<pid_t> start_role(const RoleStart& start) {
  const pid_t launcher = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return errno_fault("fork");
  if (pid > 0) return pid;
  const Status status = become_role(start, launcher);
  log_error("cannot start %s: %s", program_of(start.entry.kind), status.error().text().c_str());
  ::_exit(kCouldNotStart);
}

}  // namespace oisp
