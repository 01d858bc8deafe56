// The rights of each kind of role, and how one is started: by descriptor, with nothing but these and
// what its start gives it. How much it may use (descriptors, memory, time), each limits itself before it
// reads anything (base/sandbox.h).
#pragma once

#include <sys/capability.h>
#include <sys/types.h>

#include <iterator>
#include <span>
#include <vector>

#include "ipc-schema/order.h"

namespace oisp {

struct RoleEntry {
  RoleKind kind;
  std::span<const int> capabilities;
  bool own_network;  // an empty network namespace of its own; else the launcher's, which is as empty
};

// Loading programs, and attaching them to tracepoints and through uprobe_multi.
inline constexpr int kHelperCapabilities[] = {CAP_BPF, CAP_PERFMON};
// perf uprobes of all processes (CVE-2025-38466's fix asks for it).
inline constexpr int kPerfHelperCapabilities[] = {CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN};
// /proc/PID/exe and map_files of other users' processes; through directories of mode 0700; and
// CHECKPOINT_RESTORE because the kernel asks for it where map_files is followed.
inline constexpr int kOpenerCapabilities[] = {CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_CHECKPOINT_RESTORE};

// In the order of RoleKind. This table is the whole policy of the launcher.
inline constexpr RoleEntry kRoles[] = {
    {RoleKind::collector, {}, true},
    {RoleKind::exporter_jsonl, {}, true},
    {RoleKind::exporter_terminal, {}, true},
    {RoleKind::file_opener, kOpenerCapabilities, true},
    {RoleKind::probe_helper, kHelperCapabilities, true},
    {RoleKind::probe_helper_perf, kPerfHelperCapabilities, true},
    {RoleKind::scanner, {}, false},
    {RoleKind::supervisor, {}, true},
};
static_assert(std::size(kRoles) == kRoleKinds);

constexpr const RoleEntry& entry_of(RoleKind kind) { return kRoles[static_cast<std::size_t>(kind)]; }
constexpr bool is_helper(RoleKind kind) {
  return kind == RoleKind::probe_helper || kind == RoleKind::probe_helper_perf;
}

// uid = base + launcher's pid * roles + number: unused by people and by systemd's dynamic users.
inline constexpr std::uint32_t kFirstUid = 0x70000000;

struct RoleStart {
  const RoleEntry& entry;
  int program;                   // open descriptor of the executable
  uid_t uid;                     // and gid
  std::vector<int> descriptors;  // each one's place is its descriptor in the role; -1: closed
};

// The child is the caller's to kill and to reap: until it is reaped, its number is nobody else's. A
// failure is logged.
Result<pid_t> start_role(const RoleStart& start);

}  // namespace oisp
