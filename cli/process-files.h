// The files that a running process executes: its program and the libraries it has mapped.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/exit-status.h"
#include "cli/find-program.h"

namespace oisp {

// A line of /proc/PID/maps, where it is code of a file.
struct CodeMapping {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::uint64_t inode = 0;
  std::string path;  // as the process sees it
  bool deleted = false;
};
std::optional<CodeMapping> parse_mapping(std::string_view line);

struct UnreadFile {
  std::string path;
  std::string reason;
};
struct ProcessFiles {
  std::vector<FoundFile> files;    // each once, the program first
  std::vector<UnreadFile> unread;  // could not be opened
};
// Refused where there is no such process, or it is not the caller's to look at.
Result<ProcessFiles, Refusal> open_process_files(pid_t pid);

}  // namespace oisp
