// Probed files whose last user is gone. The helper keeps their probes, and the kernel their inodes,
// until it is asked to let go of them.
#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "collector/correlate/process-table.h"
#include "collector/intake/probe-message.h"

namespace oisp {

class ProbedFiles {
 public:
  void on_file(const FileReport& report, std::uint64_t now_ns);
  // Files that no process of the table, which keeps them for a while after their exit, has mapped for
  // kKeepUnusedNs. Each is named once, some at a time; none while a process may map more than is known.
  std::vector<oisp_file_key> take_unused(const ProcessTable& processes, std::uint64_t now_ns);

 private:
  using FileKey = std::pair<std::uint64_t, std::uint64_t>;  // device, inode
  std::map<FileKey, std::uint64_t> last_used_ns_;
};

}  // namespace oisp
