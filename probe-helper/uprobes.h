// Uprobes, in the two ways kernels offer: one uprobe_multi link for all sites of a file (6.6 and
// later; CAP_BPF and CAP_PERFMON are enough), or one perf event per site (CAP_SYS_ADMIN besides).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/owned-fd.h"
#include "base/result.h"
#include "bpf/shared-maps.h"

namespace oisp {

// BPF_TRACE_UPROBE_MULTI, newer than the headers built with.
inline constexpr std::uint32_t kTraceUprobeMulti = 48;

using UprobeKind = oisp_uprobe_kind;

// What perf uprobes are called here; before the sandbox.
Result<UprobeKind> find_perf_uprobes();

struct ProbePoint {
  std::uint64_t offset = 0;  // in the file
  std::uint64_t cookie = 0;
};

// Places `program` at all points of the regular file `file`, in every process that maps it. The
// links end when the descriptors that are returned end; `file` may be closed at once.
Result<std::vector<OwnedFd>> attach_uprobes(const UprobeKind& kind, int program, int file,
                                            std::span<const ProbePoint> points, bool at_return);

// Proves, on a child of our own, that probes do no harm here before any is placed in a stranger. The two
// programs count their hits in `control`. Null where all is well, or the word for what is not.
const char* try_canary(int entry, int at_return, oisp_control& control);

// Is this site what its file holds, and does it make sense? A probe in the middle of an instruction
// would corrupt the program, so the bytes are compared with what the scanner saw.
bool is_site_sound(int file, const oisp_site& site);

}  // namespace oisp
