#include "probe-helper/uprobes.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <link.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <seccomp.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

#include "base/log.h"
#include "base/pidfd.h"

namespace oisp {

// The function that is probed. It begins as compilers begin functions, and is never inlined.
extern "C" [[gnu::noinline, gnu::used]] int oisp_canary_sings(int value);
extern "C" int oisp_canary_sings(int value) {
  __asm__ volatile("" : "+r"(value));
  return value + 1;
}
extern "C" const ElfW(Ehdr) __ehdr_start;  // the linker's: this program's first byte in memory

namespace {

constexpr int kCanaryPatience_ms = 2000;  // then it counts as stuck

// union bpf_attr of BPF_LINK_CREATE for uprobe_multi, as of Linux 6.6; the headers built with are older.
struct UprobeMultiLink {
  std::uint32_t program, target, attach_type, flags;
  std::uint64_t path, offsets, reference_counters, cookies;
  std::uint32_t count, multi_flags, pid, padding;
};
constexpr std::uint32_t kMultiReturn = 1;

std::uint64_t address_of(const void* memory) { return reinterpret_cast<std::uintptr_t>(memory); }

std::string path_of(int file) { return "/proc/self/fd/" + std::to_string(file); }

Result<OwnedFd> attach_multi(int program, int file, std::span<const ProbePoint> points, bool at_return) {
  std::vector<std::uint64_t> offsets;
  std::vector<std::uint64_t> cookies;
  for (const ProbePoint& point : points) {
    offsets.push_back(point.offset);
    cookies.push_back(point.cookie);
  }
  const std::string path = path_of(file);
  UprobeMultiLink link{};
  link.program = static_cast<std::uint32_t>(program);
  link.attach_type = kTraceUprobeMulti;
  link.path = address_of(path.c_str());
  link.offsets = address_of(offsets.data());
  link.cookies = address_of(cookies.data());
  link.count = static_cast<std::uint32_t>(points.size());
  link.multi_flags = at_return ? kMultiReturn : 0;
  OwnedFd made(static_cast<int>(::syscall(SYS_bpf, BPF_LINK_CREATE, &link, sizeof link)));
  if (!made) return errno_fault("attach uprobe_multi");
  return made;
}

Result<OwnedFd> attach_perf(const UprobeKind& kind, int program, int file, const ProbePoint& point, bool at_return) {
  const std::string path = path_of(file);
  perf_event_attr event{};
  event.size = sizeof event;
  event.type = kind.perf_type;
  event.config = at_return ? std::uint64_t{1} << kind.return_bit : 0;
  event.config1 = address_of(path.c_str());
  event.config2 = point.offset;
  OwnedFd probe(static_cast<int>(::syscall(SYS_perf_event_open, &event, -1, 0, -1, PERF_FLAG_FD_CLOEXEC)));
  if (!probe) return errno_fault("open a perf uprobe");
  LIBBPF_OPTS(bpf_link_create_opts, options);
  options.perf_event.bpf_cookie = point.cookie;
  OwnedFd link(::bpf_link_create(program, probe.get(), BPF_PERF_EVENT, &options));
  if (!link) return errno_fault("attach to a perf uprobe");
  if (::ioctl(probe.get(), PERF_EVENT_IOC_ENABLE, 0) != 0) return errno_fault("enable a perf uprobe");
  return link;
}

// A number in a file of the kernel's own.
bool read_number(const char* path, const char* format, std::uint32_t& number) {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path, "re"), std::fclose);
  return file && std::fscanf(file.get(), format, &number) == 1;
}

// Where the function lies in this program's file; 0 where its own headers do not say.
std::uint64_t file_offset() {
  const std::uint64_t address =
      reinterpret_cast<std::uintptr_t>(&oisp_canary_sings) - reinterpret_cast<std::uintptr_t>(&__ehdr_start);
  const auto* segments = reinterpret_cast<const ElfW(Phdr)*>(::getauxval(AT_PHDR));
  for (std::uint64_t i = 0; i < ::getauxval(AT_PHNUM); ++i) {
    const ElfW(Phdr)& segment = segments[i];
    if (segment.p_type != PT_LOAD || address < segment.p_vaddr) continue;
    if (address - segment.p_vaddr < segment.p_filesz) return address - segment.p_vaddr + segment.p_offset;
  }
  return 0;
}

// Waits for a byte from the parent, then calls the function under a filter that kills the system
// call which some kernels make for a return probe.
[[noreturn]] void sing(int start) {
  char go = 0;
  if (::read(start, &go, 1) != 1) ::_exit(2);
#if defined(__x86_64__)
  constexpr int kUretprobe = 335;
  const scmp_filter_ctx filter = ::seccomp_init(SCMP_ACT_ALLOW);
  if (filter == nullptr || ::seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, kUretprobe, 0) != 0 ||
      ::seccomp_load(filter) != 0) {
    ::_exit(3);
  }
#endif
  ::_exit(oisp_canary_sings(41) == 42 ? 0 : 4);
}

// Did the child end well, in time?
bool sang(pid_t child) {
  const OwnedFd watch = open_pidfd(child);
  pollfd end{.fd = watch.get(), .events = POLLIN, .revents = 0};
  if (!watch || ::poll(&end, 1, kCanaryPatience_ms) != 1) (void)::kill(child, SIGKILL);
  int status = -1;
  (void)::waitpid(child, &status, 0);
  log_debug("the canary ended with wait status %d", status);
  return status == 0;
}

}  // namespace

Result<UprobeKind> find_perf_uprobes() {
  UprobeKind kind{};
  if (!read_number("/sys/bus/event_source/devices/uprobe/type", "%u", kind.perf_type) ||
      !read_number("/sys/bus/event_source/devices/uprobe/format/retprobe", "config:%u", kind.return_bit)) {
    return errno_fault("no_uprobes");
  }
  return kind;
}

Result<std::vector<OwnedFd>> attach_uprobes(const UprobeKind& kind, int program, int file,
                                            std::span<const ProbePoint> points, bool at_return) {
  std::vector<OwnedFd> links;
  while (!points.empty()) {
    const std::size_t count = kind.multi != 0 ? points.size() : 1;
    auto link = kind.multi != 0 ? attach_multi(program, file, points, at_return)
                                : attach_perf(kind, program, file, points.front(), at_return);
    if (!link) return link.error();
    links.push_back(std::move(*link));
    points = points.subspan(count);
  }
  return links;
}

bool is_site_sound(int file, const oisp_site& site) {
  if (site.role < OISP_ROLE_READ || site.role > OISP_ROLE_OPENED) return false;
  for (const oisp_argument* argument : {&site.session, &site.buffer, &site.length, &site.count, &site.guard}) {
    if (argument->kind > OISP_ARG_POINTER_REGISTER || argument->reg >= 32) return false;
  }
  if (site.bytes_length == 0 || site.bytes_length > OISP_SITE_BYTES) return false;
  std::uint8_t bytes[OISP_SITE_BYTES];
  const ssize_t got = ::pread(file, bytes, site.bytes_length, static_cast<off_t>(site.offset));
  return got == static_cast<ssize_t>(site.bytes_length) && std::memcmp(bytes, site.bytes, site.bytes_length) == 0;
}

const char* try_canary(int entry, int at_return, oisp_control& control) {
  const OwnedFd self(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  const ProbePoint point{.offset = file_offset(), .cookie = 0};
  int pipe[2];
  if (point.offset == 0 || !self || ::pipe2(pipe, O_CLOEXEC) != 0) return "probes_not_attached";
  const OwnedFd start(pipe[0]);
  OwnedFd go(pipe[1]);
  const auto return_links = attach_uprobes(control.uprobes, at_return, self.get(), {&point, 1}, true);
  const auto entry_links = attach_uprobes(control.uprobes, entry, self.get(), {&point, 1}, false);
  if (!return_links || !entry_links) {
    log_debug("the canary is not probed: %s", (return_links ? entry_links : return_links).error().text().c_str());
    return "probes_not_attached";
  }
  const pid_t child = ::fork();
  if (child < 0) return "probes_not_attached";
  if (child == 0) {
    go.reset();
    sing(start.get());
  }
  control.canary_entries = control.canary_returns = 0;
  control.canary_tgid = static_cast<std::uint32_t>(child);
  (void)!::write(go.get(), "", 1);
  const bool well = sang(child);
  control.canary_tgid = 0;
  if (!well) return "probes_kill";  // return probes do, under seccomp: Linux 6.11 to early 6.13
  return control.canary_entries == 1 && control.canary_returns == 1 ? nullptr : "probes_do_not_fire";
}

}  // namespace oisp
