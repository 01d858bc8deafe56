// One file in, one answer out. No allocation, no system call.
#pragma once

#include <cstdint>
#include <span>

#include "elf-scanner/decoder.h"
#include "elf-scanner/scan-answer.h"

namespace oisp {

oisp_scan_answer scan_elf(std::span<const std::uint8_t> file, Decoder& decoder);

}  // namespace oisp
