#include "probe-helper/open-file.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "base/pidfd.h"

namespace oisp {
namespace {

// What the kernel counts a process's start in, for user space (USER_HZ).
constexpr std::uint64_t kTickNs = 10'000'000;
// Of /proc/PID/stat: the start time is its 22nd field; the name, which may hold anything, its second.
constexpr int kFieldsFromNameToStart = 20;

struct ProcPath {
  char text[96];
};

ProcPath proc_path(std::uint32_t tgid, const char* name) {
  ProcPath path{};
  (void)std::snprintf(path.text, sizeof path.text, "%" PRIu32 "/%s", tgid, name);
  return path;
}

std::optional<std::uint64_t> start_ticks(int proc, std::uint32_t tgid) {
  const OwnedFd stat(::openat(proc, proc_path(tgid, "stat").text, O_RDONLY | O_CLOEXEC | O_NOCTTY));
  char bytes[1024];
  const ssize_t got = stat ? ::read(stat.get(), bytes, sizeof bytes - 1) : -1;
  if (got <= 0) return std::nullopt;
  bytes[got] = '\0';
  const char* at = std::strrchr(bytes, ')');
  for (int i = 0; i < kFieldsFromNameToStart && at != nullptr; ++i) at = std::strchr(at + 1, ' ');
  if (at == nullptr) return std::nullopt;
  return std::strtoull(at, nullptr, 10);
}

bool lives(int process) {
  pollfd end{.fd = process, .events = POLLIN, .revents = 0};
  return ::poll(&end, 1, 0) == 0;
}

OpenAttempt gone(bool may_come = false) {
  return {.outcome = OISP_OPEN_GONE, .error = 0, .file = {}, .may_come = may_come};
}

bool means_gone(int error) { return error == ENOENT || error == ESRCH; }

// The file behind a link of /proc, if it is the record's.
OpenAttempt open_link(int folder, const char* name, std::uint64_t inode) {
  struct stat before {};
  if (::fstatat(folder, name, &before, 0) != 0) {
    return means_gone(errno) ? gone() : OpenAttempt{.outcome = OISP_OPEN_ERROR, .error = errno, .file = {}};
  }
  if (before.st_ino != inode) return gone();
  // Before it is opened: a device would notice.
  if (!S_ISREG(before.st_mode)) return {.outcome = OISP_OPEN_NOT_REGULAR, .error = 0, .file = {}};
  OwnedFd file(::openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  struct stat after {};
  if (!file || ::fstat(file.get(), &after) != 0) {
    return means_gone(errno) ? gone() : OpenAttempt{.outcome = OISP_OPEN_ERROR, .error = errno, .file = {}};
  }
  if (!S_ISREG(after.st_mode)) return {.outcome = OISP_OPEN_NOT_REGULAR, .error = 0, .file = {}};
  if (after.st_ino != inode) return gone();
  return {.outcome = OISP_OPEN_OPENED, .error = 0, .file = std::move(file)};
}

struct Range {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

// A name in map_files: two hexadecimal numbers with a dash.
std::optional<Range> range_of(const char* name) {
  char* rest = nullptr;
  Range range{};
  range.begin = std::strtoull(name, &rest, 16);
  if (rest == name || *rest != '-') return std::nullopt;
  const char* second = rest + 1;
  range.end = std::strtoull(second, &rest, 16);
  if (rest == second || *rest != '\0') return std::nullopt;
  return range;
}

// A mapping anywhere in the announced place. The kernel announces a mapping before it exists, and the
// loader then lays segments over it: any part of the same file will do.
OpenAttempt open_mapped(int proc, const oisp_file_record& record) {
  const int folder =
      ::openat(proc, proc_path(record.header.tgid, "map_files").text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0)
    return means_gone(errno) ? gone() : OpenAttempt{.outcome = OISP_OPEN_ERROR, .error = errno, .file = {}};
  DIR* entries = ::fdopendir(folder);
  if (entries == nullptr) {
    (void)::close(folder);
    return {.outcome = OISP_OPEN_ERROR, .error = errno, .file = {}};
  }
  OpenAttempt attempt = gone(true);
  while (const dirent* entry = ::readdir(entries)) {
    const auto range = range_of(entry->d_name);
    if (!range || range->begin < record.address || range->begin - record.address >= record.size) continue;
    attempt = open_link(folder, entry->d_name, record.file.inode);
    if (attempt.outcome == OISP_OPEN_OPENED) break;
    attempt.may_come = true;
  }
  (void)::closedir(entries);
  return attempt;
}

OpenAttempt open_exact(int proc, const oisp_file_record& record) {
  char name[64];
  (void)std::snprintf(name, sizeof name, "map_files/%" PRIx64 "-%" PRIx64, std::uint64_t{record.address},
                      std::uint64_t{record.address + record.size});
  return open_link(proc, proc_path(record.header.tgid, name).text, record.file.inode);
}

}  // namespace

OwnedFd open_process(int proc, const oisp_file_record& record) {
  OwnedFd process = open_pidfd(static_cast<pid_t>(record.header.tgid));
  const auto ticks = process ? start_ticks(proc, record.header.tgid) : std::nullopt;
  const std::uint64_t wanted = record.header.start_ns / kTickNs;
  if (!ticks || *ticks + 1 < wanted || *ticks > wanted + 1) return {};
  return process;
}

OpenAttempt open_file(int proc, int process, const oisp_file_record& record) {
  OpenAttempt attempt;
  switch (record.source) {
    case OISP_FILE_FROM_EXEC:
      attempt = open_link(proc, proc_path(record.header.tgid, "exe").text, record.file.inode);
      break;
    case OISP_FILE_FROM_MMAP:
      attempt = open_mapped(proc, record);
      break;
    case OISP_FILE_FROM_VMA:
      attempt = open_exact(proc, record);
      break;
    default:
      attempt = {.outcome = OISP_OPEN_ERROR, .error = EINVAL, .file = {}};
  }
  // What was opened is its process's only if that still lives.
  if (!lives(process)) return gone();
  return attempt;
}

}  // namespace oisp
