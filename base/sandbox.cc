#include "base/sandbox.h"

#include <seccomp.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <memory>
#include <string>
#include <type_traits>

namespace oisp {
namespace {

constexpr const char* kCommon[] = {
    "brk",
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
    "writev",
};

Status set_limit(__rlimit_resource resource, std::uint64_t value, const char* name) {
  rlimit limit{};
  if (::getrlimit(resource, &limit) != 0) return errno_fault(std::string("getrlimit ") + name);
  if (limit.rlim_max != RLIM_INFINITY && value > limit.rlim_max) value = limit.rlim_max;
  limit.rlim_cur = limit.rlim_max = value;
  if (::setrlimit(resource, &limit) != 0) return errno_fault(std::string("setrlimit ") + name);
  return Done{};
}

Status keep_capabilities(std::span<const int> kept) {
  if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) return errno_fault("clear ambient capabilities");
  using Caps = std::unique_ptr<std::remove_pointer_t<cap_t>, int (*)(void*)>;
  const Caps caps(::cap_init(), ::cap_free);
  if (!caps) return errno_fault("cap_init");
  for (const int capability : kept) {
    const cap_value_t value = capability;
    if (::cap_set_flag(caps.get(), CAP_PERMITTED, 1, &value, CAP_SET) != 0 ||
        ::cap_set_flag(caps.get(), CAP_EFFECTIVE, 1, &value, CAP_SET) != 0) {
      return errno_fault("cap_set_flag");
    }
  }
  if (::cap_set_proc(caps.get()) != 0) return errno_fault("drop capabilities");
  return Done{};
}

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
  if (!policy.only_allowed) OISP_TRY(add_rules(filter.get(), SCMP_ACT_ALLOW, common_system_calls()));
  OISP_TRY(add_rules(filter.get(), SCMP_ACT_ALLOW, policy.allowed));
  OISP_TRY(add_rules(filter.get(), SCMP_ACT_ERRNO(EPERM), policy.refused));
  const int error = ::seccomp_load(filter.get());
  if (error != 0) return Fault{.what = "seccomp_load", .error = -error};
  return Done{};
}

}  // namespace

std::span<const char* const> common_system_calls() { return kCommon; }

Status apply_sandbox(const SandboxPolicy& policy) {
  OISP_TRY(set_limit(RLIMIT_CORE, 0, "core"));
  OISP_TRY(set_limit(RLIMIT_NOFILE, policy.most_files, "files"));
  if (policy.most_memory != 0) OISP_TRY(set_limit(RLIMIT_AS, policy.most_memory, "memory"));
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return errno_fault("PR_SET_DUMPABLE");
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno_fault("PR_SET_NO_NEW_PRIVS");
  OISP_TRY(keep_capabilities(policy.capabilities));
  return load_filter(policy);
}

}  // namespace oisp
