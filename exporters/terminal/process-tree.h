// Who descends from whom among the watched processes, for indentation: as far as the events say.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

namespace oisp {

class ProcessTree {
 public:
  void set_root(std::uint32_t pid);
  [[nodiscard]] bool is_root(std::uint32_t pid) const { return pid == root_; }
  // A process that was seen, by its own event or its parent's.
  void add(std::uint32_t pid, std::int64_t parent);
  void remove(std::uint32_t pid) { (void)levels_.erase(pid); }
  // Generations below the root; 0 where nothing is known.
  [[nodiscard]] std::size_t level(std::uint32_t pid) const;

 private:
  std::uint32_t root_ = 0;
  std::unordered_map<std::uint32_t, std::size_t> levels_;
};

}  // namespace oisp
