#include "collector/correlate/process-table.h"

#include <algorithm>
#include <cstring>

#include "collector/correlate/app-finder.h"
#include "collector/limits.h"

namespace oisp {
namespace {

std::vector<std::string> split_argv(std::string_view argv) {
  std::vector<std::string> words;
  while (!argv.empty()) {
    const std::size_t end = std::min(argv.find('\0'), argv.size());
    words.emplace_back(argv.substr(0, end));
    argv.remove_prefix(std::min(end + 1, argv.size()));
  }
  return words;
}

}  // namespace

std::string Process::command_line() const {
  std::string line;
  for (const std::string& word : argv) {
    if (!line.empty()) line += ' ';
    line += word;
  }
  return line;
}

Process& ProcessTable::get(ProcessKey key) {
  const auto found = processes_.find(key);
  if (found != processes_.end()) return found->second;
  if (processes_.size() >= limits::kMostProcesses) make_room();
  ++seen_;
  Process& process = processes_[key];
  process.key = key;
  return process;
}

// The process that exited first goes; where none has, any one does.
void ProcessTable::make_room() {
  auto victim = processes_.begin();
  for (auto it = processes_.begin(); it != processes_.end(); ++it) {
    if (it->second.exited_ns != 0 &&
        (victim->second.exited_ns == 0 || it->second.exited_ns < victim->second.exited_ns)) {
      victim = it;
    }
  }
  if (victim->second.exited_ns == 0) ++evicted_;
  processes_.erase(victim);
}

Process& ProcessTable::of(const oisp_record_header& header) {
  Process& process = get(process_of(header));
  process.exec_count = header.exec_count;
  process.uid = header.uid;
  process.cgroup_id = header.cgroup_id;
  process.mount_ns = header.mount_ns;
  return process;
}

const Process* ProcessTable::find(ProcessKey key) const {
  const auto found = processes_.find(key);
  return found == processes_.end() ? nullptr : &found->second;
}

Process& ProcessTable::on_fork(const ForkView& fork) {
  const oisp_process_fork& fixed = *fork.fixed;
  const ProcessKey child_key{.tgid = fixed.child_tgid, .start_ns = fixed.child_start_ns};
  Process copy = of(fixed.header);  // the child runs what its parent runs
  copy.key = child_key;
  copy.exec_count = fixed.child_exec_count;
  copy.ppid = fixed.header.tgid;
  copy.ran_before = false;
  copy.exited_ns = 0;
  Process& child = get(child_key);
  child = std::move(copy);
  return child;
}

Process& ProcessTable::on_exec(const ExecView& exec) {
  const oisp_process_exec& fixed = *exec.fixed;
  Process& process = of(fixed.header);
  process.gid = fixed.gid;
  process.ppid = fixed.parent_tgid;
  process.path = exec.path;
  process.cwd = exec.cwd;
  process.argv = split_argv(exec.argv);
  process.app = find_app(process.path, process.argv);
  process.argv_truncated = fixed.argv_total > fixed.argv_length || (fixed.header.flags & OISP_FLAG_TRUNCATED_ARGV) != 0;
  process.ran_before = fixed.header.kind == OISP_KIND_PROCESS_FOUND;
  process.exe = fixed.exe;
  process.name.assign(reinterpret_cast<const char*>(fixed.comm),
                      ::strnlen(reinterpret_cast<const char*>(fixed.comm), sizeof fixed.comm));
  process.mapped.clear();
  return process;
}

Process& ProcessTable::on_exit(const ExitView& exit) {
  Process& process = of(exit.fixed->header);
  process.exited_ns = exit.fixed->header.entry_ns;
  return process;
}

Process& ProcessTable::on_mapped(const MappedView& mapped) {
  Process& process = of(mapped.fixed->header);
  const oisp_file_key key = mapped.fixed->file;
  const bool known = std::ranges::any_of(process.mapped, [key](const MappedFile& file) {
    return file.key.device == key.device && file.key.inode == key.inode;
  });
  if (!known && process.mapped.size() < limits::kMostMappedFiles) {
    process.mapped.push_back({.key = key, .name = std::string(mapped.name.substr(0, mapped.name.find('\0')))});
  }
  return process;
}

void ProcessTable::forget_exited(std::uint64_t now_ns) {
  std::erase_if(processes_, [now_ns](const auto& entry) {
    return entry.second.exited_ns != 0 && entry.second.exited_ns + limits::kKeepExitedNs < now_ns;
  });
}

}  // namespace oisp
