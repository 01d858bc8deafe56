// Proves, on a child of our own, that probes do no harm here before any is placed in a stranger.
#pragma once

#include "bpf/shared-maps.h"
#include "probe-helper/attach.h"

namespace oisp {

enum class CanaryVerdict {
  fine,
  not_attached,  // this kind of uprobe does not work here
  harmed,        // the child died: return probes kill programs under seccomp (6.11, early 6.13)
  unseen,        // the probes did not fire
};

struct CanaryPrograms {
  int entry;
  int at_return;
};

// The programs count their hits in `control`.
CanaryVerdict try_canary(const UprobeKind& kind, const CanaryPrograms& programs, oisp_control& control);

}  // namespace oisp
