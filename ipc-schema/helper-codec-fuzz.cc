// What a collector may send to the helper: anything.
#include <cstddef>
#include <cstdint>

#include "ipc-schema/helper-codec.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  for (std::size_t at = 0; at + oisp::kRequestBytes <= size; at += oisp::kRequestBytes) {
    (void)oisp::decode_request(bytes.subspan(at).first<oisp::kRequestBytes>());
  }
  return 0;
}
