#include "probe-helper/attach.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

namespace oisp {
namespace {

// union bpf_attr of BPF_LINK_CREATE for uprobe_multi, as of Linux 6.6; the headers built with are older.
struct UprobeMultiLink {
  std::uint32_t program;
  std::uint32_t target;
  std::uint32_t attach_type;
  std::uint32_t flags;
  std::uint64_t path;
  std::uint64_t offsets;
  std::uint64_t reference_counters;
  std::uint64_t cookies;
  std::uint32_t count;
  std::uint32_t multi_flags;
  std::uint32_t pid;
  std::uint32_t padding;
};
constexpr std::uint32_t kTraceUprobeMulti = 48;
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

Result<OwnedFd> open_perf(const UprobeKind& kind, int file, std::uint64_t offset, bool at_return) {
  const std::string path = path_of(file);
  perf_event_attr event{};
  event.size = sizeof event;
  event.type = kind.perf_type;
  event.config = at_return ? std::uint64_t{1} << kind.return_bit : 0;
  event.config1 = address_of(path.c_str());
  event.config2 = offset;
  OwnedFd probe(static_cast<int>(::syscall(SYS_perf_event_open, &event, -1, 0, -1, PERF_FLAG_FD_CLOEXEC)));
  if (!probe) return errno_fault("open a perf uprobe");
  return probe;
}

Result<OwnedFd> attach_perf(const UprobeKind& kind, int program, int file, const ProbePoint& point, bool at_return) {
  auto probe = open_perf(kind, file, point.offset, at_return);
  if (!probe) return probe.error();
  LIBBPF_OPTS(bpf_link_create_opts, options);
  options.perf_event.bpf_cookie = point.cookie;
  OwnedFd link(::bpf_link_create(program, probe->get(), BPF_PERF_EVENT, &options));
  if (!link) return errno_fault("attach to a perf uprobe");
  if (::ioctl(probe->get(), PERF_EVENT_IOC_ENABLE, 0) != 0) return errno_fault("enable a perf uprobe");
  return link;
}

// A number in a file of the kernel's own.
Result<std::uint32_t> read_number(const char* path, const char* format) {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path, "re"), std::fclose);
  std::uint32_t number = 0;
  if (!file || std::fscanf(file.get(), format, &number) != 1) return errno_fault(std::string("read ") + path);
  return number;
}

}  // namespace

Result<UprobeKind> find_perf_uprobes() {
  auto type = read_number("/sys/bus/event_source/devices/uprobe/type", "%u");
  if (!type) return type.error();
  auto bit = read_number("/sys/bus/event_source/devices/uprobe/format/retprobe", "config:%u");
  if (!bit) return bit.error();
  return UprobeKind{.multi = false, .perf_type = *type, .return_bit = *bit};
}

bool may_open_perf_uprobes(const UprobeKind& kind) {
  const OwnedFd self(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  // Beyond the end of any file: who may, hears that it is invalid.
  const auto probe = open_perf(kind, self.get(), std::uint64_t{1} << 62, false);
  return probe || (probe.error().error != EACCES && probe.error().error != EPERM);
}

Result<std::vector<OwnedFd>> attach_uprobes(const UprobeKind& kind, int program, int file,
                                            std::span<const ProbePoint> points, bool at_return) {
  std::vector<OwnedFd> links;
  while (!points.empty()) {
    const std::size_t count = kind.multi ? points.size() : 1;
    auto link = kind.multi ? attach_multi(program, file, points, at_return)
                           : attach_perf(kind, program, file, points.front(), at_return);
    if (!link) return link.error();
    links.push_back(std::move(*link));
    points = points.subspan(count);
  }
  return links;
}

bool is_site_sound(int file, const oisp_site& site) {
  if (site.role < OISP_ROLE_READ || site.role > OISP_ROLE_NEW) return false;
  for (const oisp_argument* argument : {&site.session, &site.buffer, &site.length, &site.count, &site.guard}) {
    if (argument->kind > OISP_ARG_POINTER_REGISTER || argument->reg >= 32) return false;
  }
  if (site.bytes_length == 0 || site.bytes_length > OISP_SITE_BYTES) return false;
  std::uint8_t bytes[OISP_SITE_BYTES];
  const ssize_t got = ::pread(file, bytes, site.bytes_length, static_cast<off_t>(site.offset));
  return got == static_cast<ssize_t>(site.bytes_length) && std::memcmp(bytes, site.bytes, site.bytes_length) == 0;
}

}  // namespace oisp
