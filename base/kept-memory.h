// Large pieces of memory come and go with each body. glibc would give their pages back to the kernel and fault
// them in again for the next: with bodies of 1 MiB that takes longer than all else.
#pragma once

#include <malloc.h>

namespace oisp {

// So much that was freed is kept for later. Call it first: what glibc has learned until then stays.
inline void keep_freed_memory(int bytes) {
  (void)::mallopt(M_TRIM_THRESHOLD, bytes);
  (void)::mallopt(M_MMAP_THRESHOLD, bytes);
}

}  // namespace oisp
