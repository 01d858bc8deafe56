// From what the launcher said to probes that can be placed: load or adopt, prove, watch.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "probe-helper/attach.h"
#include "probe-helper/file-table.h"
#include "probe-helper/kernel-side.h"
#include "probe-helper/store.h"

namespace oisp {

// What the launcher said before `begin`.
struct Task {
  struct Watch {
    std::uint32_t tgid;
    bool quiet;  // its exec is still to come
  };
  std::vector<Watch> watches;
  std::vector<PendingFile> files;
  std::map<std::string, OwnedFd> adopted;  // by name; links by their names only
  bool force_perf = false;
  bool hold = true;
};

struct Started {
  KernelSide kernel;
  UprobeKind uprobes;
  bool adopted = false;
};

// Everything that needs more privilege than the sandbox leaves. `task.adopted` is used up.
Result<Started, Refusal> start_kernel_side(Task& task, const Store& store);

}  // namespace oisp
