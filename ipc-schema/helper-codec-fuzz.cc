// What a collector may send to the helper: anything.
#include <cstddef>
#include <cstdint>

#include "ipc-schema/helper-codec.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::span<const std::byte> rest = std::as_bytes(std::span(data, size));
  for (;;) {
    const auto decoded = oisp::decode_request(rest);
    if (!decoded || !decoded.value()) return 0;
    rest = rest.subspan(decoded.value()->frame_bytes);
  }
}
