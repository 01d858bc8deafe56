#include "exporters/terminal/process-tree.h"

#include <algorithm>

#include "exporters/terminal/limits.h"

namespace oisp {

void ProcessTree::set_root(std::uint32_t pid) {
  root_ = pid;
  levels_.clear();
}

void ProcessTree::add(std::uint32_t pid, std::int64_t parent) {
  if (pid == root_ || parent < 0 || levels_.size() >= kMostProcesses) return;
  const auto parent_pid = static_cast<std::uint32_t>(parent);
  const auto known = levels_.find(parent_pid);
  if (parent_pid != root_ && known == levels_.end()) return;
  const std::size_t above = known == levels_.end() ? 0 : known->second;
  // An orphan keeps the place it was born in.
  levels_.emplace(pid, std::min(above + 1, kMostIndentLevels));
}

std::size_t ProcessTree::level(std::uint32_t pid) const {
  const auto known = levels_.find(pid);
  return known == levels_.end() ? 0 : known->second;
}

}  // namespace oisp
