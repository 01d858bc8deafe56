// Where in a function a probe costs least without seeing less. A breakpoint on an instruction that the
// kernel emulates costs 0.5 µs; on one that it must single-step, 3 times that on bare metal and 35
// times in a virtual machine.
#pragma once

#include <cstdint>

#include "elf-scanner/decoder.h"
#include "elf-scanner/elf-image.h"
#include "elf-scanner/scan-answer.h"

namespace oisp {

struct ProbePoint {
  std::uint64_t address = 0;
  bool is_cheap = false;
};

// The first instruction of `function` that is emulated while the registers in `needed` (a bit each)
// still hold the arguments and, with `returns`, the return address is still on top of the stack (a
// return probe replaces it there). Else the entry. Each instruction from the entry to the point is
// decoded, and no branch of the function leads back to it, so that it runs once in each call.
//
// On aarch64 always the entry. There a return probe must even be placed on `paciasp` itself: behind it
// the signature over the return address would no longer hold.
ProbePoint find_probe_point(const ElfImage& image, Decoder& decoder, Function function, std::uint32_t needed,
                            bool returns);

// Adds a site at an address, with the bytes that are there; not where there is no code, or no room left.
void add_site(const ElfImage& image, std::uint64_t address, oisp_site site, oisp_scan_answer& answer);

}  // namespace oisp
