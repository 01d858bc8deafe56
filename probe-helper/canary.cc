#include "probe-helper/canary.h"

#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <optional>

#include "base/log.h"
#include "probe-helper/limits.h"

namespace oisp {

// The function that is probed. It begins as compilers begin functions, and is never inlined.
extern "C" [[gnu::noinline, gnu::used]] int oisp_canary_sings(int value);
extern "C" int oisp_canary_sings(int value) {
  __asm__ volatile("" : "+r"(value));
  return value + 1;
}

namespace {

struct Search {
  std::uintptr_t address;
  std::optional<std::uint64_t> offset;
};

// Only this program's own headers, as its loader left them.
int find_offset(dl_phdr_info* info, std::size_t, void* data) {
  auto* search = static_cast<Search*>(data);
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = info->dlpi_phdr[i];
    const std::uintptr_t begin = info->dlpi_addr + segment.p_vaddr;
    if (segment.p_type == PT_LOAD && search->address >= begin && search->address - begin < segment.p_filesz) {
      search->offset = search->address - begin + segment.p_offset;
      return 1;
    }
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

// The child's wait status, or nothing where it had to be killed.
std::optional<int> wait_for(pid_t child) {
  const OwnedFd watch(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
  pollfd entry{.fd = watch.get(), .events = POLLIN, .revents = 0};
  const bool ended = watch.valid() && ::poll(&entry, 1, kCanaryPatience_ms) == 1;
  if (!ended) (void)::kill(child, SIGKILL);
  int status = 0;
  if (::waitpid(child, &status, 0) != child || !ended) return {};
  return status;
}

CanaryVerdict judge(std::optional<int> status, const oisp_control& control) {
  if (!status || !WIFEXITED(*status) || WEXITSTATUS(*status) != 0) {
    log_debug("the canary ended with wait status %d", status.value_or(-1));
    return CanaryVerdict::harmed;
  }
  return control.canary_entries == 1 && control.canary_returns == 1 ? CanaryVerdict::fine : CanaryVerdict::unseen;
}

}  // namespace

CanaryVerdict try_canary(const UprobeKind& kind, const CanaryPrograms& programs, oisp_control& control) {
  Search search{.address = reinterpret_cast<std::uintptr_t>(&oisp_canary_sings), .offset = {}};
  (void)::dl_iterate_phdr(find_offset, &search);
  const OwnedFd self(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  int pipe[2];
  if (!search.offset || !self || ::pipe2(pipe, O_CLOEXEC) != 0) return CanaryVerdict::not_attached;
  OwnedFd start(pipe[0]);
  OwnedFd go(pipe[1]);
  const ProbePoint point{.offset = *search.offset, .cookie = 0};
  const auto at_return = attach_uprobes(kind, programs.at_return, self.get(), {&point, 1}, true);
  const auto at_entry = attach_uprobes(kind, programs.entry, self.get(), {&point, 1}, false);
  if (!at_return || !at_entry) {
    log_debug("the canary is not probed: %s", (at_return ? at_entry : at_return).error().text().c_str());
    return CanaryVerdict::not_attached;
  }
  const pid_t child = ::fork();
  if (child < 0) return CanaryVerdict::not_attached;
  if (child == 0) {
    go.reset();
    sing(start.get());
  }
  control.canary_entries = control.canary_returns = 0;
  control.canary_tgid = static_cast<std::uint32_t>(child);
  (void)!::write(go.get(), "", 1);
  const std::optional<int> status = wait_for(child);
  control.canary_tgid = 0;
  return judge(status, control);
}

}  // namespace oisp
