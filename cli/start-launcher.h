// Raises privilege, for the launcher only.
#pragma once

#include <string>

#include "base/result.h"
#include "cli/exit-status.h"
#include "cli/held-child.h"

namespace oisp {

struct HeldLauncher {
  HeldChild child;
  OwnedFd connection;
  bool through_sudo = false;
};

// Call while still root, where we are.
Result<HeldLauncher, Refusal> make_launcher();

// The system's own sudo; empty where there is none.
std::string find_sudo();

}  // namespace oisp
