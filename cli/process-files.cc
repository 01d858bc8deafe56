#include "cli/process-files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <memory>

namespace oisp {
namespace {

// Programs have some 10 to 300 files mapped as code.
constexpr std::size_t kMostFiles = 1024;
constexpr std::string_view kDeleted = " (deleted)";

// Takes a number off the front of `text`, and the byte behind it.
std::optional<std::uint64_t> take_number(std::string_view& text, int base) {
  std::uint64_t number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (read.ec != std::errc()) return std::nullopt;
  text.remove_prefix(std::min(static_cast<std::size_t>(read.ptr - text.data()) + 1, text.size()));
  return number;
}

std::string_view take_word(std::string_view& text) {
  const std::size_t end = std::min(text.find(' '), text.size());
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return word;
}

// The kernel writes a line feed in a name as \012.
std::string unescape(std::string_view name) {
  constexpr std::string_view kLineFeed = "\\012";
  std::string text;
  while (!name.empty()) {
    const bool escaped = name.starts_with(kLineFeed);
    text += escaped ? '\n' : name[0];
    name.remove_prefix(escaped ? kLineFeed.size() : 1);
  }
  return text;
}

// By the mapping itself where the kernel lets us (root), else by its name, if that still is the same file.
Result<OwnedFd> open_mapped(const std::string& proc, const CodeMapping& mapping) {
  char range[64];
  (void)std::snprintf(range, sizeof range, "/map_files/%llx-%llx", static_cast<unsigned long long>(mapping.begin),
                      static_cast<unsigned long long>(mapping.end));
  if (OwnedFd file = open_regular_file(proc + range)) return file;
  if (mapping.deleted) return fault("it was deleted; root can read it all the same");
  OwnedFd file = open_regular_file(proc + "/root" + mapping.path);
  if (!file) return errno_fault("open");
  struct stat status {};
  // Not the device: overlayfs and btrfs show another one here than in the list of mappings.
  if (::fstat(file.get(), &status) == 0 && status.st_ino == mapping.inode) return file;
  return fault("another file has its name by now; root can read it all the same");
}

}  // namespace

std::optional<CodeMapping> parse_mapping(std::string_view line) {
  CodeMapping mapping;
  const auto begin = take_number(line, 16);
  const auto end = take_number(line, 16);
  const std::string_view permissions = take_word(line);
  (void)take_word(line);  // offset
  (void)take_word(line);  // device
  const auto inode = take_number(line, 10);
  if (!begin || !end || !inode || permissions.find('x') == std::string_view::npos) return std::nullopt;
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  if (!line.starts_with('/')) return std::nullopt;
  mapping.deleted = line.ends_with(kDeleted);
  if (mapping.deleted) line.remove_suffix(kDeleted.size());
  mapping.begin = *begin;
  mapping.end = *end;
  mapping.inode = *inode;
  mapping.path = unescape(line);
  return mapping;
}

Result<ProcessFiles, Refusal> open_process_files(pid_t pid) {
  const std::string number = std::to_string(pid);
  const std::string proc = "/proc/" + number;
  const std::unique_ptr<FILE, int (*)(FILE*)> maps(std::fopen((proc + "/maps").c_str(), "re"), std::fclose);
  if (!maps && errno == ENOENT) return Refusal{kFailure, "There is no process " + number + "."};
  if (!maps) {
    return Refusal{kNoPermission,
                   "Process " + number + " is another user's (" + std::strerror(errno) + "); run this with sudo."};
  }
  ProcessFiles found;
  std::vector<std::uint64_t> seen;
  char* line = nullptr;
  std::size_t room = 0;
  ssize_t length = 0;
  while ((length = ::getline(&line, &room, maps.get())) > 0 && seen.size() < kMostFiles) {
    if (line[length - 1] == '\n') --length;
    const auto mapping = parse_mapping({line, static_cast<std::size_t>(length)});
    if (!mapping || std::ranges::find(seen, mapping->inode) != seen.end()) continue;
    seen.push_back(mapping->inode);
    auto file = open_mapped(proc, *mapping);
    if (file) {
      const std::string& path = mapping->path;
      found.files.push_back({.name = path.substr(path.rfind('/') + 1), .path = path, .fd = std::move(*file)});
    } else {
      found.unread.push_back({.path = mapping->path, .reason = file.error().text()});
    }
  }
  std::free(line);
  if (std::ferror(maps.get()) != 0) {
    return Refusal{kNoPermission, "The mappings of process " + number + " cannot be read; run this with sudo."};
  }
  if (seen.empty()) return Refusal{kFailure, "Process " + number + " runs no program file."};
  return found;
}

}  // namespace oisp
