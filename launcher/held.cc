#include "launcher/held.h"

#include <algorithm>
#include <csignal>

#include "base/pidfd.h"
#include "launcher/limits.h"

namespace oisp {
namespace {

// The only signal that the launcher ever sends to a process that is not a role of its own.
void continue_process(int pidfd) { (void)signal_pidfd(pidfd, SIGCONT); }

}  // namespace

void HeldProcesses::hold(pid_t pid, std::int64_t now_ms) {
  OwnedFd pidfd = open_pidfd(pid);
  if (!pidfd) return;  // gone, or a number that never was a process
  if (held_.size() >= limits::kMostHeld) return continue_process(pidfd.get());
  held_.push_back({.pid = pid, .pidfd = std::move(pidfd), .deadline_ms = now_ms + limits::kHeldMs});
}

void HeldProcesses::release(pid_t pid) {
  std::erase_if(held_, [&](const Held& held) {
    if (held.pid == pid) continue_process(held.pidfd.get());
    return held.pid == pid;
  });
}

void HeldProcesses::release_late(std::int64_t now_ms) {
  std::erase_if(held_, [&](const Held& held) {
    if (held.deadline_ms <= now_ms) continue_process(held.pidfd.get());
    return held.deadline_ms <= now_ms;
  });
}

void HeldProcesses::release_all() {
  for (const Held& held : held_) continue_process(held.pidfd.get());
  held_.clear();
}

std::int64_t HeldProcesses::next_deadline_ms(std::int64_t none) const {
  for (const Held& held : held_) none = std::min(none, held.deadline_ms);
  return none;
}

}  // namespace oisp
