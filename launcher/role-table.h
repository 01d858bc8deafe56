// The rights and limits of each kind of role: this table is the whole policy of the launcher.
#pragma once

#include <sys/capability.h>

#include <cstdint>
#include <iterator>
#include <span>

#include "ipc-schema/order.h"

namespace oisp {

struct RoleEntry {
  RoleKind kind;
  std::span<const int> capabilities;
  std::uint64_t most_memory;     // bytes of address space; 0: unlimited
  std::uint64_t most_files;      // descriptors
  std::uint64_t most_processes;  // of its uid, threads included
  std::uint64_t most_seconds;    // of CPU; 0: unlimited
  bool own_network;              // an empty network namespace of its own; else the launcher's, which is as empty
};

// Loading programs, and attaching them to tracepoints and through uprobe_multi.
inline constexpr int kHelperCapabilities[] = {CAP_BPF, CAP_PERFMON};
// perf uprobes of all processes (CVE-2025-38466's fix asks for it).
inline constexpr int kPerfHelperCapabilities[] = {CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN};
// /proc/PID/exe and map_files of other users' processes; through directories of mode 0700; and
// CHECKPOINT_RESTORE because the kernel asks for it where map_files is followed.
inline constexpr int kOpenerCapabilities[] = {CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_CHECKPOINT_RESTORE};

// In the order of RoleKind.
inline constexpr RoleEntry kRoles[] = {
    {RoleKind::collector, {}, 0, 64, 16, 0, true},
    {RoleKind::exporter_jsonl, {}, 0, 64, 16, 0, true},
    {RoleKind::exporter_terminal, {}, 0, 64, 16, 0, true},
    {RoleKind::file_opener, kOpenerCapabilities, 0, 64, 4, 0, true},
    {RoleKind::probe_helper, kHelperCapabilities, 0, 8192, 8, 0, true},
    {RoleKind::probe_helper_perf, kPerfHelperCapabilities, 0, 8192, 8, 0, true},
    {RoleKind::scanner, {}, std::uint64_t{2} << 30, 16, 4, 10, false},
    {RoleKind::supervisor, {}, 0, 512, 4, 0, true},
};
static_assert(std::size(kRoles) == kRoleKinds);

constexpr const RoleEntry& entry_of(RoleKind kind) { return kRoles[static_cast<std::size_t>(kind)]; }
constexpr bool is_helper(RoleKind kind) {
  return kind == RoleKind::probe_helper || kind == RoleKind::probe_helper_perf;
}

}  // namespace oisp
