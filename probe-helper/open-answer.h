// What the file-opener answers for one record of a file, with the descriptor where it opened it.
// One fixed size on an AF_UNIX SOCK_SEQPACKET; the helper reads it without parsing.
#pragma once

#include "bpf/records.h"

#define OISP_OPEN_OPENED 1
#define OISP_OPEN_GONE 2         // the process, or its mapping, is no longer there
#define OISP_OPEN_NOT_REGULAR 3  // not a regular file, or not mapped executable
#define OISP_OPEN_ERROR 4        // errno in `error`

struct oisp_open_answer {
  __u32 outcome;
  __s32 error;
  struct oisp_file_key file;  // as in the record
  __u32 tgid;
  __u32 reserved;
};
static_assert(sizeof(oisp_open_answer) == 32);
