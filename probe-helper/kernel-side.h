// The kernel's half of the sensor as this process holds it: maps and programs by name, so that the
// launcher can keep them and a later helper adopt them.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "base/owned-fd.h"
#include "base/result.h"
#include "bpf/shared-maps.h"
#include "probe-helper/mapping.h"

struct sensor_bpf;

namespace oisp {

// Why the sensor cannot run here: the command line's exit status (3: permission, 4: this kernel),
// and a sentence that says what to do.
struct Refusal {
  int exit_status = 1;
  std::string sentence;
};

// In the order of kKeptNames.
enum class Kept : std::size_t {
  events,
  files,
  counters,
  control,
  watched,
  site_slots,
  file_table,
  sessions,
  seen_files,
  held,
  site_entry,
  site_return,
  find_mappings,
};
inline constexpr std::size_t kKeptCount = 13;
extern const std::array<const char*, kKeptCount> kKeptNames;

class KernelSide {
 public:
  [[nodiscard]] int fd(Kept part) const { return fds_[static_cast<std::size_t>(part)].get(); }
  void hold(Kept part, OwnedFd fd) { fds_[static_cast<std::size_t>(part)] = std::move(fd); }
  [[nodiscard]] bool is_whole() const;
  // Maps `control`; once all parts are held.
  Status share_control();
  [[nodiscard]] oisp_control& control() const { return *control_; }
  // The hooks that this kernel lacks, by name.
  [[nodiscard]] std::vector<std::string> missing() const;

 private:
  std::array<OwnedFd, kKeptCount> fds_;
  Mapping<oisp_control> control_;
};

struct DestroySkeleton {
  void operator()(sensor_bpf* skeleton) const;
};
using Skeleton = std::unique_ptr<sensor_bpf, DestroySkeleton>;

// A link that the launcher is to keep, under `name`.
struct NamedLink {
  std::string name;
  OwnedFd fd;
};

// Loads everything that this kernel has; the site programs for uprobe_multi or for perf uprobes.
Result<Skeleton, Refusal> load_programs(bool uprobe_multi);
// Own descriptors of what is kept, so that the skeleton can go.
Result<KernelSide, Refusal> take_parts(const Skeleton& skeleton, bool uprobe_multi);
// Attaches all hooks that were loaded; the links end with the descriptors.
Result<std::vector<NamedLink>, Refusal> attach_hooks(const Skeleton& skeleton, oisp_control& control);
// Watches `tgid` and its descendants. `quiet`: its own exec is still to come.
Status watch_tree(const Skeleton& skeleton, KernelSide& kernel, std::uint32_t tgid, bool quiet);
// Announces what watched processes have mapped and nobody looked at yet; again, for a helper at work,
// where a failure is logged.
Status announce_mappings(const KernelSide& kernel);
void announce_again(const KernelSide& kernel);
// Programs of the canary.
int canary_entry_program(const Skeleton& skeleton);
int canary_return_program(const Skeleton& skeleton);

}  // namespace oisp
