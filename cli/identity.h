// For whom oisp-sensor acts: whoever called it, also through sudo.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/result.h"

namespace oisp {

struct Identity {
  uid_t uid = 0;
  gid_t gid = 0;
  std::string name;  // of the user; the number where it has none
  std::string home;
  std::string shell;
  bool through_sudo = false;  // we are root, and act for somebody else
};

Identity find_identity();

// Gives up root for good, where we act for somebody else: groups, uid, gid, and the variables that
// sudo had set to root's.
Status become(const Identity& identity);

}  // namespace oisp
