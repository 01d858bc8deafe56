// The one message that an elf-scanner sends: a plain struct of one size, read by the helper, which
// parses nothing. Who is trusted: nobody; the scanner read a stranger's file. The helper checks
// site_count and reads the file's bytes at each site again before it attaches there.
#pragma once

#include <cstdint>

#include "bpf/records.h"

// Outcomes. With `refused`, `reason` is a sentence a user understands: it ends up as a blind spot.
#define OISP_SCAN_FOUND 1u        // sites[0 .. site_count) are to be probed
#define OISP_SCAN_NO_LIBRARY 2u   // no TLS library in this file: nothing to probe, nothing to report
#define OISP_SCAN_REFUSED 3u      // holds a TLS library that cannot be probed
#define OISP_SCAN_UNSUPPORTED 4u  // not an ELF file, or of another machine or class

#define OISP_SCAN_MOST_SITES 32

struct oisp_scan_answer {
  std::uint32_t outcome;
  std::uint32_t site_count;
  char family[32];   // "OpenSSL 3.0"; NUL-terminated, empty where unknown
  char reason[160];  // NUL-terminated, printable ASCII; where found, what gave the functions away
  struct oisp_site sites[OISP_SCAN_MOST_SITES];
};

static_assert(sizeof(oisp_scan_answer) == 200 + OISP_SCAN_MOST_SITES * sizeof(oisp_site));
static_assert(sizeof(oisp_scan_answer) == 3016);
