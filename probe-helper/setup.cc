#include "probe-helper/setup.h"

#include <bpf/bpf.h>
#include <sys/capability.h>

#include "base/log.h"
#include "probe-helper/canary.h"

namespace oisp {
namespace {

Refusal failure(const Fault& fault) { return {.exit_status = 1, .sentence = fault.text()}; }

struct Loaded {
  Skeleton skeleton;
  KernelSide kernel;
  UprobeKind uprobes;
};

// Loads the programs for one kind of uprobes, and lets the canary try them.
Result<Loaded, Refusal> load_and_try(const UprobeKind& kind, CanaryVerdict& verdict) {
  auto skeleton = load_programs(kind.multi);
  if (!skeleton) return skeleton.error();
  auto kernel = take_parts(*skeleton, kind.multi);
  if (!kernel) return kernel.error();
  verdict = try_canary(kind, {.entry = canary_entry_program(*skeleton), .at_return = canary_return_program(*skeleton)},
                       kernel->control());
  return Loaded{.skeleton = std::move(*skeleton), .kernel = std::move(*kernel), .uprobes = kind};
}

Refusal refusal_of(CanaryVerdict verdict) {
  switch (verdict) {
    case CanaryVerdict::fine:
      break;
    case CanaryVerdict::not_attached:
      return {.exit_status = 3, .sentence = "needs_sys_admin"};  // the caller knows whether there is more to be had
    case CanaryVerdict::harmed:
      return {.exit_status = 4,
              .sentence =
                  "on this kernel return probes kill programs that run under seccomp (a fault of Linux 6.11 "
                  "to 6.13): install a later kernel"};
    case CanaryVerdict::unseen:
      return {.exit_status = 4, .sentence = "uprobes are accepted by this kernel but do not fire"};
  }
  return {};
}

Result<Loaded, Refusal> load_what_works(bool force_perf) {
  CanaryVerdict verdict = CanaryVerdict::not_attached;
  if (!force_perf && !lacks_uprobe_multi()) {
    auto loaded = load_and_try({.multi = true}, verdict);
    if (loaded && verdict == CanaryVerdict::fine) return loaded;
    if (!loaded && loaded.error().exit_status == 3) return loaded.error();
    if (verdict == CanaryVerdict::harmed) return refusal_of(verdict);
  }
  auto kind = find_perf_uprobes();
  if (!kind) {
    return Refusal{.exit_status = 4,
                   .sentence = "this kernel has no uprobes (" + kind.error().text() +
                               "): one built with CONFIG_UPROBE_EVENTS is needed"};
  }
  if (!may_open_perf_uprobes(*kind)) return refusal_of(CanaryVerdict::not_attached);
  auto loaded = load_and_try(*kind, verdict);
  if (loaded && verdict != CanaryVerdict::fine) return refusal_of(verdict);
  return loaded;
}

void keep_all(const KernelSide& kernel, const std::vector<NamedLink>& links, const Store& store) {
  for (const NamedLink& link : links) store.request_keep(link.name, link.fd.get());
  // The parts last: a successor that finds them all finds the links too.
  for (std::size_t i = 0; i < kKeptCount; ++i) store.request_keep(kKeptNames[i], kernel.fd(static_cast<Kept>(i)));
}

Result<Started, Refusal> start_anew(const Task& task, const Store& store) {
  auto loaded = load_what_works(task.force_perf);
  if (!loaded) return loaded.error();
  auto links = attach_hooks(loaded->skeleton, loaded->kernel.control());
  if (!links) return links.error();
  bool announce = false;
  for (const Task::Watch& watch : task.watches) {
    const Status watched = watch_tree(loaded->skeleton, loaded->kernel, watch.tgid, watch.quiet);
    if (!watched) return failure(watched.error());
    announce = announce || !watch.quiet;
  }
  // What the launcher gave is not to be announced besides.
  for (const PendingFile& file : task.files) {
    const std::uint64_t stamp = 0;
    (void)::bpf_map_update_elem(loaded->kernel.fd(Kept::seen_files), &file.key, &stamp, BPF_ANY);
  }
  if (announce) {
    if (const Status announced = announce_mappings(loaded->kernel); !announced) return failure(announced.error());
  }
  keep_all(loaded->kernel, *links, store);
  return Started{.kernel = std::move(loaded->kernel), .uprobes = loaded->uprobes, .adopted = false};
}

Result<Started, Refusal> start_adopted(KernelSide kernel) {
  if (const Status shared = kernel.share_control(); !shared) return failure(shared.error());
  UprobeKind kind{.multi = kernel.control().uprobe_multi != 0};
  if (!kind.multi) {
    auto perf = find_perf_uprobes();
    if (!perf) return failure(perf.error());
    kind = *perf;
  }
  return Started{.kernel = std::move(kernel), .uprobes = kind, .adopted = true};
}

}  // namespace

Result<Started, Refusal> start_kernel_side(Task& task, const Store& store) {
  KernelSide kept;
  for (std::size_t i = 0; i < kKeptCount; ++i) {
    const auto found = task.adopted.find(kKeptNames[i]);
    if (found != task.adopted.end()) kept.hold(static_cast<Kept>(i), std::move(found->second));
  }
  if (kept.is_whole()) return start_adopted(std::move(kept));
  // The one before died at its start: nothing of it is of use.
  for (const auto& [name, fd] : task.adopted) store.request_forget(name);
  task.adopted.clear();
  return start_anew(task, store);
}

}  // namespace oisp
