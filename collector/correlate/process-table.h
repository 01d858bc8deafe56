// The watched processes, from kernel records alone: nothing is read from /proc. A process is its pid
// and start time; what it runs changes with every exec.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "collector/intake/record.h"
#include "data/apps.h"

namespace oisp {

struct ProcessKey {
  std::uint32_t tgid = 0;
  std::uint64_t start_ns = 0;
  friend bool operator==(const ProcessKey&, const ProcessKey&) = default;
};
struct ProcessKeyHash {
  std::size_t operator()(const ProcessKey& key) const {
    return static_cast<std::size_t>((key.start_ns ^ std::uint64_t{key.tgid} << 40) * 0x9e3779b97f4a7c15ULL);
  }
};

inline ProcessKey process_of(const oisp_record_header& header) {
  return {.tgid = header.tgid, .start_ns = header.start_ns};
}

struct MappedFile {
  oisp_file_key key{};
  std::string name;  // last component of the path
};

struct Process {
  ProcessKey key;
  std::uint32_t exec_count = 0;
  std::uint32_t uid = 0;
  std::int64_t gid = -1;
  std::int64_t ppid = -1;
  std::uint64_t cgroup_id = 0;
  std::uint32_t mount_ns = 0;
  std::string path;
  std::string cwd;
  std::string name;  // comm
  std::vector<std::string> argv;
  bool argv_truncated = false;
  const App* app = nullptr;  // of the catalogue; null: none that is known
  bool ran_before = false;   // was found when the watch began
  oisp_file_key exe{};
  std::vector<MappedFile> mapped;
  std::uint64_t exited_ns = 0;

  [[nodiscard]] std::string command_line() const;
};

class ProcessTable {
 public:
  // The process a record is about; made from its header where nothing is known of it yet.
  Process& of(const oisp_record_header& header);
  [[nodiscard]] const Process* find(ProcessKey key) const;

  Process& on_fork(const ForkView& fork);
  Process& on_exec(const ExecView& exec);
  Process& on_exit(const ExitView& exit);
  Process& on_mapped(const MappedView& mapped);
  // Forgets processes whose exit lies long before `now_ns`.
  void forget_exited(std::uint64_t now_ns);

  // Processes seen in all.
  [[nodiscard]] std::uint64_t seen() const { return seen_; }
  // Processes that a bound made the table forget before their time.
  [[nodiscard]] std::uint64_t evicted() const { return evicted_; }
  [[nodiscard]] std::size_t size() const { return processes_.size(); }
  [[nodiscard]] auto begin() const { return processes_.begin(); }
  [[nodiscard]] auto end() const { return processes_.end(); }

 private:
  Process& get(ProcessKey key);
  void make_room();

  std::unordered_map<ProcessKey, Process, ProcessKeyHash> processes_;
  std::uint64_t seen_ = 0;
  std::uint64_t evicted_ = 0;
};

}  // namespace oisp
