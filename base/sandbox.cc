#include "base/sandbox.h"

#include <seccomp.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <algorithm>
#include <memory>
#include <string>
#include <type_traits>

namespace oisp {
namespace {

// What any C++ program needs to run on, allocate, log and end.
constexpr const char* kCommon[] = {"brk",
                                   "clock_gettime",
                                   "clock_nanosleep",
                                   "close",
                                   "exit",
                                   "exit_group",
                                   "fstat",
                                   "futex",
                                   "getpid",
                                   "getrandom",
                                   "gettid",
                                   "gettimeofday",
                                   "madvise",
                                   "mmap",
                                   "mprotect",
                                   "mremap",
                                   "munmap",
                                   "newfstatat",
                                   "read",
                                   "restart_syscall",
                                   "rseq",
                                   "rt_sigaction",
                                   "rt_sigprocmask",
                                   "rt_sigreturn",
                                   "sched_yield",
                                   "set_robust_list",
                                   "sigaltstack",
                                   "tgkill",
                                   "write",
                                   "writev"};

Status add_rules(scmp_filter_ctx filter, std::uint32_t action, std::span<const char* const> names) {
  for (const char* name : names) {
    const int number = ::seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR) continue;  // not on this architecture
    const int error = ::seccomp_rule_add(filter, action, number, 0);
    if (error != 0 && error != -EEXIST) return Fault{.what = std::string("seccomp rule ") + name, .error = -error};
  }
  return Done{};
}

Status load_filter(const SandboxPolicy& policy) {
  using Filter = std::unique_ptr<void, void (*)(scmp_filter_ctx)>;
  const Filter filter(::seccomp_init(SCMP_ACT_KILL_PROCESS), ::seccomp_release);
  if (!filter) return fault("seccomp_init");
  if (!policy.only_allowed) OISP_TRY(add_rules(filter.get(), SCMP_ACT_ALLOW, kCommon));
  OISP_TRY(add_rules(filter.get(), SCMP_ACT_ALLOW, policy.allowed));
  OISP_TRY(add_rules(filter.get(), SCMP_ACT_ERRNO(EPERM), policy.refused));
  const int error = ::seccomp_load(filter.get());
  if (error != 0) return Fault{.what = "seccomp_load", .error = -error};
  return Done{};
}

}  // namespace

Status limit_resource(int resource, std::uint64_t most) {
  const auto which = static_cast<__rlimit_resource>(resource);
  rlimit limit{};
  if (::getrlimit(which, &limit) != 0) return errno_fault("getrlimit");
  limit.rlim_cur = limit.rlim_max = std::min<rlim_t>(most, limit.rlim_max);
  if (::setrlimit(which, &limit) != 0) return errno_fault("setrlimit");
  return Done{};
}

Status set_capabilities(std::span<const int> kept, std::span<const int> passed_on) {
  using Caps = std::unique_ptr<std::remove_pointer_t<cap_t>, int (*)(void*)>;
  const Caps caps(::cap_init(), ::cap_free);
  if (!caps) return errno_fault("cap_init");
  const auto set = [&](cap_flag_t flag, std::span<const int> ones) {
    return ones.empty() || ::cap_set_flag(caps.get(), flag, static_cast<int>(ones.size()), ones.data(), CAP_SET) == 0;
  };
  if (!set(CAP_PERMITTED, kept) || !set(CAP_EFFECTIVE, kept) || !set(CAP_INHERITABLE, passed_on)) {
    return errno_fault("cap_set_flag");
  }
  if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) return errno_fault("clear ambient capabilities");
  if (::cap_set_proc(caps.get()) != 0) return errno_fault("set capabilities");
  for (const int capability : passed_on) {
    if (::cap_set_ambient(capability, CAP_SET) != 0) return errno_fault("raise ambient capability");
  }
  return Done{};
}

Status apply_sandbox(const SandboxPolicy& policy) {
  OISP_TRY(limit_resource(RLIMIT_CORE, 0));
  OISP_TRY(limit_resource(RLIMIT_NOFILE, policy.most_files));
  if (policy.most_memory != 0) OISP_TRY(limit_resource(RLIMIT_AS, policy.most_memory));
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return errno_fault("PR_SET_DUMPABLE");
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno_fault("PR_SET_NO_NEW_PRIVS");
  OISP_TRY(set_capabilities(policy.capabilities, {}));
  return load_filter(policy);
}

}  // namespace oisp
