// What the file-opener answers for one record of a file, with the descriptor where it opened it.
// One fixed size on an AF_UNIX SOCK_SEQPACKET; the helper reads it without parsing.
#pragma once

#include "bpf/records.h"

struct oisp_open_answer {
  __s32 error;  // 0: opened; ESRCH: process or mapping is no longer there; ENOTSUP: no regular file; else errno
  __u32 tgid;
  struct oisp_file_key file;  // both as in the record
};
static_assert(sizeof(oisp_open_answer) == 24);
