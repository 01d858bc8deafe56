#include "exporters/jsonl/resume.h"

#include <capnp/message.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "ipc-schema/event-json.h"

namespace oisp {
namespace {

constexpr std::uint64_t kStepBytes = 256 * 1024;

// The bytes of the file from `begin` to `end`.
Result<std::string> read_range(int fd, std::uint64_t begin, std::uint64_t end) {
  std::string bytes(end - begin, '\0');
  std::size_t filled = 0;
  while (filled < bytes.size()) {
    const ssize_t got = ::pread(fd, bytes.data() + filled, bytes.size() - filled, static_cast<off_t>(begin + filled));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_fault("read the output's last line");
    if (got == 0) return fault("the output became shorter while it was read");
    filled += static_cast<std::size_t>(got);
  }
  return bytes;
}

// Position after the last line feed in [start, end), `start` where there is none.
Result<std::uint64_t> find_line_start(int fd, std::uint64_t start, std::uint64_t end) {
  while (end > start) {
    const std::uint64_t begin = end - std::min(end - start, kStepBytes);
    auto bytes = read_range(fd, begin, end);
    if (!bytes) return bytes.error();
    const std::size_t found = bytes.value().rfind('\n');
    if (found != std::string::npos) return begin + found + 1;
    end = begin;
  }
  return start;
}

}  // namespace

Result<Resumed> resume_file(int fd, std::uint64_t start) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return errno_fault("stat the output");
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size <= start) return Resumed{.size = size, .sequence = std::nullopt};

  const auto end = find_line_start(fd, start, size);
  if (!end) return end.error();
  if (end.value() < size && ::ftruncate(fd, static_cast<off_t>(end.value())) != 0) {
    return errno_fault("cut a half-written line away");
  }
  if (end.value() == start) return Resumed{.size = start, .sequence = std::nullopt};

  const auto begin = find_line_start(fd, start, end.value() - 1);
  if (!begin) return begin.error();
  const auto line = read_range(fd, begin.value(), end.value() - 1);
  if (!line) return line.error();
  capnp::MallocMessageBuilder message;
  const auto event = message.initRoot<schema::Event>();
  if (const Status parsed = parse_event_json(line.value(), event); !parsed) {
    return fault("the output's last line is not ours: " + parsed.error().text());
  }
  return Resumed{.size = end.value(), .sequence = event.asReader().getExt().getOispSensor().getSequence()};
}

}  // namespace oisp
