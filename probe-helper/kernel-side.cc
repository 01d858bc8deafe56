#include "probe-helper/kernel-side.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <sensor.skel.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "base/log.h"
#include "probe-helper/uprobes.h"

namespace oisp {
namespace {

// By OISP_PART_*, as the object file names them.
constexpr const char* kPartNames[OISP_PART_COUNT] = {"events",     "files",      "counters",    "control",
                                                     "watched",    "site_slots", "file_table",  "sessions",
                                                     "seen_files", "site_entry", "site_return", "find_mappings"};

// Tracepoints, and the programs on them.
constexpr const char* kHooks[OISP_HOOK_COUNT] = OISP_HOOKS;
constexpr const char* kHookPrograms[OISP_HOOK_COUNT] = {
    "on_fork", "on_exec", "on_exit", "on_socket_state", "on_socket_send", "on_socket_receive", "on_mapping"};
// On functions of the kernel, where it lacks the tracepoint.
constexpr const char* kStandIns[OISP_HOOK_COUNT] = {nullptr,       nullptr,          nullptr, nullptr,
                                                    "on_tcp_send", "on_tcp_receive", nullptr};

using Skeleton = std::unique_ptr<sensor_bpf, void (*)(sensor_bpf*)>;

struct Loaded {
  Skeleton skeleton;
  KernelSide kernel;
};

bpf_program* program_of(const Skeleton& skeleton, const char* name) {
  return ::bpf_object__find_program_by_name(skeleton->obj, name);
}

// Where a hook is there but of another shape, the sensor does without all that it can do without.
Result<Skeleton> load_programs(bool multi, const btf* kernel_types, std::uint64_t ring_bytes) {
  int error = 0;
  for (const bool with_optional : {true, false}) {
    Skeleton skeleton(sensor_bpf__open(), sensor_bpf__destroy);
    if (!skeleton) return errno_fault("load");
    for (std::size_t i = OISP_HOOKS_REQUIRED; i < OISP_HOOK_COUNT; ++i) {
      const std::string type = std::string("btf_trace_") + kHooks[i];
      const bool there = ::btf__find_by_name_kind(kernel_types, type.c_str(), BTF_KIND_TYPEDEF) > 0;
      const char* name = there ? kHookPrograms[i] : kStandIns[i];
      (void)::bpf_program__set_autoload(program_of(skeleton, kHookPrograms[i]), false);
      if (name != nullptr) (void)::bpf_program__set_autoload(program_of(skeleton, name), with_optional);
    }
    const auto attach_type = static_cast<bpf_attach_type>(multi ? kTraceUprobeMulti : 0);
    for (const char* name : {"site_entry", "site_return", "canary_entry", "canary_return"}) {
      (void)::bpf_program__set_expected_attach_type(program_of(skeleton, name), attach_type);
    }
    (void)::bpf_map__set_max_entries(skeleton->maps.events, static_cast<__u32>(ring_bytes));
    skeleton->rodata->max_capture = kMaxCapture;
    error = -sensor_bpf__load(skeleton.get());
    if (error == 0) return skeleton;
  }
  return Fault{.what = "load", .error = error};
}

// Loads the programs for one kind of uprobes, and lets the canary try them.
Result<Loaded> load_and_try(const btf* kernel_types, const UprobeKind& kind, std::uint64_t ring_bytes) {
  auto skeleton = load_programs(kind.multi != 0, kernel_types, ring_bytes);
  if (!skeleton) return skeleton.error();
  Parts parts;  // own descriptors, so that the skeleton can go
  for (unsigned i = 0; i < OISP_PART_COUNT; ++i) {
    const int map = ::bpf_object__find_map_fd_by_name((*skeleton)->obj, kPartNames[i]);
    const int part = map >= 0 ? map : ::bpf_program__fd(program_of(*skeleton, kPartNames[i]));
    parts[i] = OwnedFd(::fcntl(part, F_DUPFD_CLOEXEC, kFirstPartFd));
  }
  auto kernel = KernelSide::make(std::move(parts));
  if (!kernel) return kernel.error();
  kernel->control().uprobes = kind;
  const char* word = try_canary(::bpf_program__fd((*skeleton)->progs.canary_entry),
                                ::bpf_program__fd((*skeleton)->progs.canary_return), kernel->control());
  if (word != nullptr) return fault(word);
  return Loaded{.skeleton = std::move(*skeleton), .kernel = std::move(*kernel)};
}

Result<Loaded> load_what_works(bool force_perf, std::uint64_t ring_bytes) {
  const std::unique_ptr<btf, void (*)(btf*)> types(::btf__load_vmlinux_btf(), ::btf__free);
  if (!types) return errno_fault("no_kernel_types");
  // The attach type's place in the kernel's own types says whether it knows it.
  if (!force_perf && ::btf__find_by_name_kind(types.get(), "bpf_uprobe_multi_link", BTF_KIND_STRUCT) > 0) {
    auto loaded = load_and_try(types.get(), {.multi = 1}, ring_bytes);
    if (loaded || loaded.error().what == "probes_kill" || loaded.error().error == EPERM) return loaded;
  }
  const auto kind = find_perf_uprobes();
  if (!kind) return kind.error();
  // As the launcher gives it.
  if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_SYS_ADMIN, 0, 0) != 1) return fault("needs_sys_admin");
  return load_and_try(types.get(), kind.value(), ring_bytes);
}

// Attaches all hooks that were loaded; the links end with the descriptors, which the launcher keeps.
Status attach_hooks(const Loaded& loaded) {
  for (unsigned i = 0; i < OISP_HOOK_COUNT; ++i) {
    bpf_program* program = program_of(loaded.skeleton, kHookPrograms[i]);
    if (!::bpf_program__autoload(program) && kStandIns[i]) program = program_of(loaded.skeleton, kStandIns[i]);
    const std::unique_ptr<bpf_link, int (*)(bpf_link*)> link(
        ::bpf_program__autoload(program) ? ::bpf_program__attach(program) : nullptr, ::bpf_link__destroy);
    if (link) {
      tell_launcher(OrderKind::keep, OISP_PART_LINKS, ::bpf_link__fd(link.get()));
    } else if (i < OISP_HOOKS_REQUIRED) {
      return errno_fault(std::string("attach to ") + kHooks[i]);
    } else {
      loaded.kernel.control().missing_hooks |= 1u << i;
    }
  }
  return Done{};
}

Status run_iterator(int program) {
  const OwnedFd link(::bpf_link_create(program, 0, BPF_TRACE_ITER, nullptr));
  if (!link) return errno_fault("attach an iterator");
  const OwnedFd iterator(::bpf_iter_create(link.get()));
  if (!iterator) return errno_fault("start an iterator");
  char rest[64];
  ssize_t got = 1;
  while (got > 0 || (got < 0 && (errno == EINTR || errno == EAGAIN))) got = ::read(iterator.get(), rest, sizeof rest);
  if (got < 0) return errno_fault("run an iterator");
  return Done{};
}

// Watches a process and its descendants: the iterator adds those whose parent is watched, until it
// finds no more.
Status watch_tree(const Loaded& loaded, const Watch& watch) {
  oisp_control& control = loaded.kernel.control();
  control.target_tgid = watch.tgid;
  control.target_quiet = watch.quiet ? 1 : 0;
  do {
    control.found = 0;
    OISP_TRY(run_iterator(::bpf_program__fd(loaded.skeleton->progs.find_processes)));
  } while (control.found != 0);
  oisp_identity identity{};
  if (::bpf_map_lookup_elem(loaded.kernel.fd(OISP_PART_WATCHED), &watch.tgid, &identity) != 0) {
    return fault("there is no process " + std::to_string(watch.tgid));
  }
  return Done{};
}

}  // namespace

void tell_launcher(OrderKind kind, std::uint64_t value, int fd) {
  (void)send_order(kStoreFd, {.kind = kind, .value = value}, fd);
}

Parts take_given_parts() {
  Parts given;
  for (int i = 0; i < OISP_PART_COUNT; ++i) {
    const int fd = kFirstPartFd + i;
    if (::fcntl(fd, F_SETFD, FD_CLOEXEC) == 0) given[static_cast<std::size_t>(i)] = OwnedFd(fd);
  }
  return given;
}

Result<KernelSide> KernelSide::make(Parts parts) {
  if (!std::all_of(parts.begin(), parts.end(), [](const OwnedFd& part) { return part.valid(); })) {
    return fault("a map or a program is missing");
  }
  (void)::libbpf_num_possible_cpus();  // libbpf remembers it: the file that says so is out of reach later
  KernelSide kernel;
  kernel.parts_ = std::move(parts);
  auto control = map_shared<oisp_control>(kernel.fd(OISP_PART_CONTROL), sizeof(oisp_control), PROT_READ | PROT_WRITE);
  auto files = map_shared<oisp_file_entry>(kernel.fd(OISP_PART_FILE_TABLE), OISP_FILE_ENTRIES * sizeof(oisp_file_entry),
                                           PROT_READ | PROT_WRITE);
  auto events = Ring::map(kernel.fd(OISP_PART_EVENTS));
  auto new_files = Ring::map(kernel.fd(OISP_PART_FILES));
  if (!control || !files || !events || !new_files) return fault("the memory of the maps cannot be shared");
  kernel.control_ = std::move(*control);
  kernel.files_ = std::move(*files);
  kernel.events_ = std::move(*events);
  kernel.new_files_ = std::move(*new_files);
  return kernel;
}

void announce_mappings(const KernelSide& kernel) {
  const Status announced = run_iterator(kernel.fd(OISP_PART_FIND_MAPPINGS));
  if (!announced) log_warning("%s", announced.error().text().c_str());
}

Result<KernelSide> start_kernel_side(const std::vector<Watch>& watches, bool force_perf, std::uint64_t ring_bytes) {
  // What the verifier says is long, and for developers.
  if (std::getenv("OISP_LOG") == nullptr) (void)::libbpf_set_print(nullptr);
  auto loaded = load_what_works(force_perf, ring_bytes);
  if (!loaded) return loaded.error();
  OISP_TRY(attach_hooks(*loaded));
  for (const Watch& watch : watches) OISP_TRY(watch_tree(*loaded, watch));
  // The parts last: a successor that finds them all finds the links too.
  for (unsigned i = 0; i < OISP_PART_COUNT; ++i) tell_launcher(OrderKind::keep, i, loaded->kernel.fd(i));
  return std::move(loaded->kernel);
}

}  // namespace oisp
