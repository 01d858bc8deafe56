// Process descriptors. glibc 2.36 declares these for C only, earlier ones not at all.
#pragma once

#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/owned-fd.h"

namespace oisp {

// Close-on-exec. Invalid, with errno, where there is no such process.
inline OwnedFd open_pidfd(pid_t pid) { return OwnedFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U))); }

inline bool signal_pidfd(int pidfd, int signal) {
  return ::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0U) == 0;
}

}  // namespace oisp
