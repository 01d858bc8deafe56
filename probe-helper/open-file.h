// Opens the file that a record of the kernel side names, through /proc, as its process sees it: so
// deleted files, containers and overlays work, and no path is ever followed.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "base/owned-fd.h"
#include "probe-helper/open-answer.h"

namespace oisp {

struct OpenAttempt {
  std::uint32_t outcome = OISP_OPEN_ERROR;
  int error = 0;
  OwnedFd file;           // where the outcome is OISP_OPEN_OPENED
  bool may_come = false;  // not mapped yet: worth another try soon
};

// `proc` is a descriptor of /proc, `process` of the record's process, taken before any of this: as
// long as it lives, its number is nobody else's.
OpenAttempt open_file(int proc, int process, const oisp_file_record& record);

// The process of a record: invalid where it is gone, or the number is another's by now.
OwnedFd open_process(int proc, const oisp_file_record& record);

}  // namespace oisp
