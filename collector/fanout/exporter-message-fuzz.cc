// What an exporter says: it may have been taken over by what it delivers to.
#include <cstdint>
#include <cstring>
#include <vector>

#include "collector/fanout/exporter-message.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<std::uint64_t> words(size / 8 + 1);  // aligned, as a frame buffer is
  if (size > 0) std::memcpy(words.data(), data, size);
  (void)oisp::decode_exporter_message(std::as_bytes(std::span(words)).first(size / 8 * 8));
  return 0;
}
