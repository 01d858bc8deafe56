#include "probe-helper/attach.h"

#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <seccomp.h>
#include <sys/auxv.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "base/log.h"
#include "base/pidfd.h"
#include "probe-helper/limits.h"

namespace oisp {

// The function that is probed. It begins as compilers begin functions, and is never inlined.
extern "C" [[gnu::noinline, gnu::used]] int oisp_canary_sings(int value);
extern "C" int oisp_canary_sings(int value) {
  __asm__ volatile("" : "+r"(value));
  return value + 1;
}
extern "C" const ElfW(Ehdr) __ehdr_start;  // the linker's: this program's first byte in memory

namespace {

// Where the function lies in this program's file; 0 where its own headers do not say.
std::uint64_t file_offset() {
  const std::uint64_t address =
      reinterpret_cast<std::uintptr_t>(&oisp_canary_sings) - reinterpret_cast<std::uintptr_t>(&__ehdr_start);
  const auto* segments = reinterpret_cast<const ElfW(Phdr)*>(::getauxval(AT_PHDR));
  for (std::uint64_t i = 0; i < ::getauxval(AT_PHNUM); ++i) {
    const ElfW(Phdr)& segment = segments[i];
    if (segment.p_type != PT_LOAD || address < segment.p_vaddr) continue;
    if (address - segment.p_vaddr < segment.p_filesz) return address - segment.p_vaddr + segment.p_offset;
  }
  return 0;
}

// Waits for a byte from the parent, then calls the function under a filter that kills the system
// call which some kernels make for a return probe.
[[noreturn]] void sing(int start) {
  char go = 0;
  if (::read(start, &go, 1) != 1) ::_exit(2);
#if defined(__x86_64__)
  constexpr int kUretprobe = 335;
  const scmp_filter_ctx filter = ::seccomp_init(SCMP_ACT_ALLOW);
  if (filter == nullptr || ::seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, kUretprobe, 0) != 0 ||
      ::seccomp_load(filter) != 0) {
    ::_exit(3);
  }
#endif
  ::_exit(oisp_canary_sings(41) == 42 ? 0 : 4);
}

// Did the child end well, in time?
bool sang(pid_t child) {
  const OwnedFd watch = open_pidfd(child);
  pollfd end{.fd = watch.get(), .events = POLLIN, .revents = 0};
  if (!watch || ::poll(&end, 1, kCanaryPatience_ms) != 1) (void)::kill(child, SIGKILL);
  int status = -1;
  (void)::waitpid(child, &status, 0);
  log_debug("the canary ended with wait status %d", status);
  return status == 0;
}

}  // namespace

const char* try_canary(const UprobeKind& kind, int entry, int at_return, oisp_control& control) {
  const OwnedFd self(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  const ProbePoint point{.offset = file_offset(), .cookie = 0};
  int pipe[2];
  if (point.offset == 0 || !self || ::pipe2(pipe, O_CLOEXEC) != 0) return "probes_not_attached";
  const OwnedFd start(pipe[0]);
  OwnedFd go(pipe[1]);
  const auto return_links = attach_uprobes(kind, at_return, self.get(), {&point, 1}, true);
  const auto entry_links = attach_uprobes(kind, entry, self.get(), {&point, 1}, false);
  if (!return_links || !entry_links) {
    log_debug("the canary is not probed: %s", (return_links ? entry_links : return_links).error().text().c_str());
    return "probes_not_attached";
  }
  const pid_t child = ::fork();
  if (child < 0) return "probes_not_attached";
  if (child == 0) {
    go.reset();
    sing(start.get());
  }
  control.canary_entries = control.canary_returns = 0;
  control.canary_tgid = static_cast<std::uint32_t>(child);
  (void)!::write(go.get(), "", 1);
  const bool well = sang(child);
  control.canary_tgid = 0;
  if (!well) return "probes_kill";  // return probes do, under seccomp: Linux 6.11 to early 6.13
  return control.canary_entries == 1 && control.canary_returns == 1 ? nullptr : "probes_do_not_fire";
}

}  // namespace oisp
