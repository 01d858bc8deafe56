#include "probe-helper/kernel-side.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <sensor.skel.h>
#include <unistd.h>

#include <cstdarg>
#include <cstdio>

#include "base/log.h"
#include "probe-helper/limits.h"

namespace oisp {

const std::array<const char*, kKeptCount> kKeptNames = {
    "map:events",      "map:files",        "map:counters",       "map:control",    "map:watched",
    "map:site_slots",  "map:file_table",   "map:sessions",       "map:seen_files", "map:held",
    "prog:site_entry", "prog:site_return", "prog:find_mappings",
};

namespace {

// BPF_TRACE_UPROBE_MULTI, newer than the headers built with.
constexpr auto kUprobeMulti = static_cast<bpf_attach_type>(48);

// Programs on BTF tracepoints. Bit numbers of oisp_control.missing are the places in this list.
struct Hook {
  const char* program;
  const char* tracepoint;
  bool required;
};
constexpr Hook kHooks[] = {
    {"on_fork", "sched_process_fork", true},       {"on_exec", "sched_process_exec", true},
    {"on_exit", "sched_process_exit", true},       {"on_socket_state", "inet_sock_set_state", false},
    {"on_socket_send", "sock_send_length", false}, {"on_socket_receive", "sock_recv_length", false},
    {"on_mapping", "vm_unmapped_area", false},
};

int print_libbpf(libbpf_print_level level, const char* format, va_list arguments) {
  if (level == LIBBPF_DEBUG) return 0;
  char line[400];
  (void)std::vsnprintf(line, sizeof line, format, arguments);
  log_debug("%s", line);
  return 0;
}

Refusal refusal_of_load(int error) {
  if (error == EPERM || error == EACCES) {
    return {.exit_status = 3,
            .sentence = "the kernel does not let this process load BPF programs (" + std::string(std::strerror(error)) +
                        "): run as root outside of containers without CAP_BPF and CAP_PERFMON, and without "
                        "lockdown=confidentiality"};
  }
  return {.exit_status = 4,
          .sentence = "this kernel does not take the sensor's programs (" + std::string(std::strerror(error)) +
                      "): Linux 6.1 or later is needed"};
}

Skeleton open_skeleton(bool uprobe_multi, bool with_optional, const btf* kernel_types) {
  Skeleton skeleton(sensor_bpf__open());
  if (!skeleton) return skeleton;
  for (const Hook& hook : kHooks) {
    const std::string type = std::string("btf_trace_") + hook.tracepoint;
    const bool there = ::btf__find_by_name_kind(kernel_types, type.c_str(), BTF_KIND_TYPEDEF) > 0;
    if (hook.required || (there && with_optional)) continue;
    (void)::bpf_program__set_autoload(::bpf_object__find_program_by_name(skeleton->obj, hook.program), false);
  }
  skeleton->rodata->max_capture = kMaxCapture;
  if (uprobe_multi) {
    for (bpf_program* program : {skeleton->progs.site_entry, skeleton->progs.site_return, skeleton->progs.canary_entry,
                                 skeleton->progs.canary_return}) {
      (void)::bpf_program__set_expected_attach_type(program, kUprobeMulti);
    }
  }
  return skeleton;
}

Status run_iterator(int program) {
  const OwnedFd link(::bpf_link_create(program, 0, BPF_TRACE_ITER, nullptr));
  if (!link) return errno_fault("attach an iterator");
  const OwnedFd iterator(::bpf_iter_create(link.get()));
  if (!iterator) return errno_fault("start an iterator");
  char nothing[64];
  ssize_t got = 0;
  do {
    got = ::read(iterator.get(), nothing, sizeof nothing);
  } while (got > 0 || (got < 0 && (errno == EINTR || errno == EAGAIN)));
  if (got < 0) return errno_fault("run an iterator");
  return Done{};
}

}  // namespace

void DestroySkeleton::operator()(sensor_bpf* skeleton) const { sensor_bpf__destroy(skeleton); }

bool KernelSide::is_whole() const {
  for (const OwnedFd& fd : fds_) {
    if (!fd) return false;
  }
  return true;
}

Status KernelSide::share_control() {
  auto control = map_shared<oisp_control>(fd(Kept::control), sizeof(oisp_control), PROT_READ | PROT_WRITE);
  if (!control) return control.error();
  control_ = std::move(*control);
  return Done{};
}

std::vector<std::string> KernelSide::missing() const {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < std::size(kHooks); ++i) {
    if ((control_->missing & 1u << i) != 0) names.emplace_back(kHooks[i].tracepoint);
  }
  return names;
}

Result<Skeleton, Refusal> load_programs(bool uprobe_multi) {
  ::libbpf_set_print(print_libbpf);
  const std::unique_ptr<btf, void (*)(btf*)> kernel_types(::btf__load_vmlinux_btf(), ::btf__free);
  if (!kernel_types) {
    return Refusal{.exit_status = 4,
                   .sentence =
                       "this kernel has no type information (/sys/kernel/btf/vmlinux): a kernel built with "
                       "CONFIG_DEBUG_INFO_BTF is needed, such as Debian's own"};
  }
  int error = 0;
  // Where a hook is there but of another shape, the sensor does without all that it can do without.
  for (const bool with_optional : {true, false}) {
    Skeleton skeleton = open_skeleton(uprobe_multi, with_optional, kernel_types.get());
    if (!skeleton) return refusal_of_load(errno);
    error = -sensor_bpf__load(skeleton.get());
    if (error == 0) return skeleton;
    log_debug("programs were refused (%s optional hooks): %s", with_optional ? "with" : "without",
              std::strerror(error));
  }
  return refusal_of_load(error);
}

Result<KernelSide, Refusal> take_parts(const Skeleton& skeleton, bool uprobe_multi) {
  KernelSide kernel;
  for (std::size_t i = 0; i < kKeptCount; ++i) {
    const std::string name = kKeptNames[i];
    const std::string part = name.substr(name.find(':') + 1);
    const int fd = name.starts_with("map:")
                       ? ::bpf_object__find_map_fd_by_name(skeleton->obj, part.c_str())
                       : ::bpf_program__fd(::bpf_object__find_program_by_name(skeleton->obj, part.c_str()));
    kernel.hold(static_cast<Kept>(i), OwnedFd(::fcntl(fd, F_DUPFD_CLOEXEC, 5)));
  }
  if (!kernel.is_whole()) return Refusal{.sentence = errno_fault("keep the maps and programs").text()};
  if (const Status shared = kernel.share_control(); !shared) return Refusal{.sentence = shared.error().text()};
  kernel.control().uprobe_multi = uprobe_multi ? 1 : 0;
  return kernel;
}

Result<std::vector<NamedLink>, Refusal> attach_hooks(const Skeleton& skeleton, oisp_control& control) {
  std::vector<NamedLink> links;
  for (std::size_t i = 0; i < std::size(kHooks); ++i) {
    const Hook& hook = kHooks[i];
    bpf_program* program = ::bpf_object__find_program_by_name(skeleton->obj, hook.program);
    const std::unique_ptr<bpf_link, int (*)(bpf_link*)> link(
        ::bpf_program__autoload(program) ? ::bpf_program__attach(program) : nullptr, ::bpf_link__destroy);
    if (link) {
      links.push_back({.name = std::string("link:tp:") + hook.tracepoint,
                       .fd = OwnedFd(::fcntl(::bpf_link__fd(link.get()), F_DUPFD_CLOEXEC, 5))});
    } else if (hook.required) {
      return refusal_of_load(errno);
    } else {
      control.missing |= 1u << i;
    }
  }
  return links;
}

Status watch_tree(const Skeleton& skeleton, KernelSide& kernel, std::uint32_t tgid, bool quiet) {
  oisp_control& control = kernel.control();
  control.target_tgid = tgid;
  control.target_quiet = quiet ? 1 : 0;
  do {
    control.found = 0;
    OISP_TRY(run_iterator(::bpf_program__fd(skeleton->progs.find_processes)));
  } while (control.found != 0);
  oisp_identity identity{};
  if (::bpf_map_lookup_elem(kernel.fd(Kept::watched), &tgid, &identity) != 0) {
    return fault("there is no process " + std::to_string(tgid));
  }
  return Done{};
}

Status announce_mappings(const KernelSide& kernel) { return run_iterator(kernel.fd(Kept::find_mappings)); }

void announce_again(const KernelSide& kernel) {
  const Status announced = announce_mappings(kernel);
  if (!announced) log_warning("%s", announced.error().text().c_str());
}

int canary_entry_program(const Skeleton& skeleton) { return ::bpf_program__fd(skeleton->progs.canary_entry); }
int canary_return_program(const Skeleton& skeleton) { return ::bpf_program__fd(skeleton->progs.canary_return); }

}  // namespace oisp
