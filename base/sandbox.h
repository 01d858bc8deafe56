// What a process takes away from itself before it reads a stranger's byte. A policy is data, next to
// the main function of the process it is for; apply_sandbox is the only caller of prctl, capset,
// setrlimit and seccomp for it.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>

#include "base/result.h"

namespace oisp {

struct SandboxPolicy {
  // System calls by name that stay allowed; all others kill the process (SCMP_ACT_KILL_PROCESS).
  // Names that this architecture or library does not know are skipped.
  std::span<const char* const> allowed;
  // System calls answered with EPERM: those that libraries only try.
  std::span<const char* const> refused;
  // Capabilities (CAP_…) to keep permitted and effective; all others are dropped for good.
  std::span<const int> capabilities;
  // RLIMIT_NOFILE, and address space in bytes (0: unlimited).
  std::uint64_t most_files = 64;
  std::uint64_t most_memory = 0;
  // Leaves out the calls that any C++ program needs to run on, allocate, log and end: for a process whose
  // remaining calls are all known.
  bool only_allowed = false;
};

// Applies the policy to the calling process: limits, no core dumps, not dumpable, capabilities,
// no_new_privs, seccomp. Call once, single-threaded. Where it fails, the process must end.
Status apply_sandbox(const SandboxPolicy& policy);

// Parts of it, for whoever prepares another process. `resource` is a RLIMIT_…; what the kernel gives at
// most is taken where `most` is more.
Status limit_resource(int resource, std::uint64_t most);
// Permitted and effective become `kept`, inheritable and ambient `passed_on`, which is a part of it.
Status set_capabilities(std::span<const int> kept, std::span<const int> passed_on);

}  // namespace oisp
