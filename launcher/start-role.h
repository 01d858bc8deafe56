// Starts one role by descriptor, with nothing but what its row of the table and its start give it.
#pragma once

#include <sys/types.h>

#include <span>

#include "base/owned-fd.h"
#include "base/result.h"
#include "launcher/role-table.h"

namespace oisp {

// The exit status of a child that could not become its role; it has said why on stderr.
inline constexpr int kCouldNotStart = 125;

struct RoleStart {
  const RoleEntry& entry;
  std::span<const int> capabilities;
  int program;  // open descriptor of the executable
  uid_t uid;    // and gid
  // -1: closed (input: /dev/null).
  int input = -1;
  int orders = -1;
  int store = -1;
};

struct Process {
  pid_t pid = -1;
  OwnedFd pidfd;
};

Result<Process> start_role(const RoleStart& start);

}  // namespace oisp
