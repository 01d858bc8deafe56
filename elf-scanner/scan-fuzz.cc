#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "elf-scanner/scan.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static auto decoder = oisp::Decoder::make();
  const oisp_scan_answer answer = oisp::scan_elf(std::span(data, size), *decoder);
  if (answer.site_count > OISP_SCAN_MOST_SITES || answer.outcome == 0) std::abort();
  for (std::uint32_t i = 0; i < answer.site_count; ++i) {
    if (answer.sites[i].offset >= size) std::abort();
  }
  return 0;
}
