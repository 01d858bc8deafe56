// The kernel's half of the sensor as this process holds it: maps and programs, which the launcher keeps
// for a later helper to adopt; and how they come to be.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/owned-fd.h"
#include "bpf/shared-maps.h"
#include "ipc-schema/order.h"
#include "probe-helper/ring.h"

namespace oisp {

// Bytes of plaintext of one call that are captured (probe.capnp says it to the collector): a body of
// 1 MiB, and the head that many clients send with it in one call.
inline constexpr std::uint32_t kMaxCapture = (1 << 20) + (64 << 10);

// Says one order to the launcher, on the channel for what outlives this process. Where that fails, the
// launcher is gone, and the end of `orders` says so.
void tell_launcher(OrderKind kind, std::uint64_t value, int fd = -1);

// By OISP_PART_*.
using Parts = std::array<OwnedFd, OISP_PART_COUNT>;
// What an earlier helper left, from kFirstPartFd on; call before any descriptor is made.
Parts take_given_parts();

class KernelSide {
 public:
  // A failure where a part is missing.
  static Result<KernelSide> make(Parts parts);
  [[nodiscard]] int fd(unsigned part) const { return parts_[part].get(); }
  // Memory of the maps.
  [[nodiscard]] oisp_control& control() const { return *control_; }
  [[nodiscard]] std::span<oisp_file_entry> files() const { return {files_.get(), OISP_FILE_ENTRIES}; }
  [[nodiscard]] Ring& events() { return *events_; }
  [[nodiscard]] Ring& new_files() { return *new_files_; }

 private:
  Parts parts_;
  Mapping<oisp_control> control_;
  Mapping<oisp_file_entry> files_;
  std::optional<Ring> events_;
  std::optional<Ring> new_files_;
};

// A process to watch with its descendants.
struct Watch {
  std::uint32_t tgid;
  bool quiet;  // its exec is still to come, so that nothing of what it is now counts
};

// Everything that needs more privilege than the sandbox leaves: loads what this kernel takes, lets the
// canary try it, attaches the hooks, watches, and gives all of it to the launcher to keep. Why the sensor
// cannot run here, others have sentences for (supervisor/sentences.cc).
Result<KernelSide> start_kernel_side(const std::vector<Watch>& watches, bool force_perf, std::uint64_t ring_bytes);

// Announces what watched processes have mapped and nobody looked at yet. A failure is logged.
void announce_mappings(const KernelSide& kernel);

}  // namespace oisp
