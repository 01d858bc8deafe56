// Processes that the kernel program stopped until their files are probed. Whatever becomes of the
// helper, each is continued: on its word, after kHeldMs, or when this object goes.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "base/owned-fd.h"

namespace oisp {

class HeldProcesses {
 public:
  HeldProcesses() = default;
  HeldProcesses(const HeldProcesses&) = delete;
  HeldProcesses& operator=(const HeldProcesses&) = delete;
  ~HeldProcesses() { release_all(); }

  void hold(pid_t pid, std::int64_t now_ms);
  void release(pid_t pid);
  void release_late(std::int64_t now_ms);
  void release_all();
  // When release_late has something to do; `none` where nothing is held.
  [[nodiscard]] std::int64_t next_deadline_ms(std::int64_t none) const;

 private:
  struct Held {
    pid_t pid;
    OwnedFd pidfd;
    std::int64_t deadline_ms;
  };
  std::vector<Held> held_;
};

}  // namespace oisp
