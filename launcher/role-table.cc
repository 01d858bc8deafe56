#include "launcher/role-table.h"

namespace oisp {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

// Loading programs, and attaching them to tracepoints and through uprobe_multi.
constexpr int kHelper[] = {CAP_BPF, CAP_PERFMON};
// perf uprobes of all processes (CVE-2025-38466's fix asks for it).
constexpr int kHelperFallback[] = {CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN};
// /proc/PID/exe and map_files of other users' processes; through directories of mode 0700; and
// CHECKPOINT_RESTORE because the kernel asks for it where map_files is followed.
constexpr int kOpener[] = {CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_CHECKPOINT_RESTORE};

constexpr RoleEntry kRoles[] = {
    {RoleKind::collector, "oisp-collector", {}, 0, 64, 16, 0, true, true},
    {RoleKind::exporter_jsonl, "oisp-exporter-jsonl", {}, 0, 64, 16, 0, true, true},
    {RoleKind::exporter_terminal, "oisp-exporter-terminal", {}, 0, 64, 16, 0, true, true},
    {RoleKind::file_opener, "oisp-file-opener", kOpener, 0, 64, 4, 0, true, true},
    {RoleKind::probe_helper, "oisp-probe-helper", kHelper, 0, 8192, 8, 0, true, true},
    {RoleKind::scanner, "oisp-elf-scanner", {}, 2048 * kMiB, 16, 4, 10, false, false},
};
static_assert(std::size(kRoles) == kRoleKinds);

constexpr RoleLink kLinks[] = {
    {RoleKind::collector, RoleKind::exporter_jsonl, true, OrderKind::sink, OrderKind::collector},
    {RoleKind::collector, RoleKind::exporter_terminal, true, OrderKind::sink, OrderKind::collector},
    {RoleKind::collector, RoleKind::probe_helper, true, OrderKind::helper, OrderKind::collector},
    {RoleKind::file_opener, RoleKind::probe_helper, false, OrderKind::helper, OrderKind::opener},
};

}  // namespace

std::span<const RoleEntry, kRoleKinds> role_table() { return kRoles; }
std::span<const int> helper_fallback_capabilities() { return kHelperFallback; }
std::span<const RoleLink> role_links() { return kLinks; }

}  // namespace oisp
