// A broken invariant ends the process; whoever started it starts it again.
#pragma once

#include <cstdio>
#include <cstdlib>

#define OISP_BUG_IF(condition)                                                         \
  do {                                                                                 \
    if (__builtin_expect(static_cast<bool>(condition), 0)) {                           \
      std::fprintf(stderr, "oisp: bug: %s (%s:%d)\n", #condition, __FILE__, __LINE__); \
      std::abort();                                                                    \
    }                                                                                  \
  } while (false)
