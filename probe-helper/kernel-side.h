// The kernel's half of the sensor as this process holds it: maps and programs, which the launcher keeps
// for a later helper to adopt; and how they come to be.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "base/owned-fd.h"
#include "bpf/shared-maps.h"
#include "ipc-schema/order.h"
#include "probe-helper/attach.h"
#include "probe-helper/ring.h"

namespace oisp {

// Why the sensor cannot run here: the command line's exit status (3: permission, 4: this kernel), a
// word that others have a sentence for, and what the kernel said.
struct Refusal {
  int exit_status = 1;
  std::string word = {};
  std::string detail = {};
};

// Says one order to the launcher, on the channel for what outlives this process. Where that fails, the
// launcher is gone, and the end of `orders` says so.
void tell_launcher(OrderKind kind, std::uint64_t value, int fd = -1);

class KernelSide {
 public:
  // What an earlier helper left, from kFirstPartFd on; before any descriptor is made.
  static KernelSide take_given();
  // `part`: OISP_PART_*.
  [[nodiscard]] int fd(unsigned part) const { return parts_[part].get(); }
  void hold(unsigned part, OwnedFd fd) { parts_[part] = std::move(fd); }
  [[nodiscard]] bool is_whole() const;
  // Maps `control`; once all parts are held.
  Status share_control();
  [[nodiscard]] oisp_control& control() const { return *control_; }

 private:
  std::array<OwnedFd, OISP_PART_COUNT> parts_;
  Mapping<oisp_control> control_;
};

// What the launcher said before `begin`.
struct Watch {
  std::uint32_t tgid;
  bool quiet;  // its exec is still to come, so that nothing of what it is now counts
};

struct Started {
  KernelSide kernel;
  UprobeKind uprobes;
  bool adopted = false;
};

// Everything that needs more privilege than the sandbox leaves: adopts the kept parts if they are
// whole, or else loads what this kernel takes, lets the canary try it, attaches the hooks, watches, and
// gives all of it to the launcher to keep.
Result<Started, Refusal> start_kernel_side(KernelSide kept, const std::vector<Watch>& watches, bool force_perf);

// Announces what watched processes have mapped and nobody looked at yet. A failure is logged.
void announce_mappings(const KernelSide& kernel);

}  // namespace oisp
