// Starts one role by descriptor, with nothing but what its row of the table and its start give it.
#pragma once

#include <sys/types.h>

#include <vector>

#include "base/result.h"
#include "launcher/role-table.h"

namespace oisp {

struct RoleStart {
  const RoleEntry& entry;
  int program;                   // open descriptor of the executable
  uid_t uid;                     // and gid
  std::vector<int> descriptors;  // each one's place is its descriptor in the role; -1: closed
};

// The child is the caller's to kill and to reap: until it is reaped, its number is nobody else's.
Result<pid_t> start_role(const RoleStart& start);

}  // namespace oisp
