// A span of the ring from a helper that may have been taken over, or from a stranger's text in it.
#include <cstdint>
#include <cstring>
#include <vector>

#include "collector/correlate/client-hello.h"
#include "collector/intake/record.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // Aligned, and of exactly this size.
  std::vector<std::uint64_t> words(size / 8 + 1);
  if (size > 0) std::memcpy(words.data(), data, size);
  const std::span<const std::byte> span(reinterpret_cast<const std::byte*>(words.data()), size);
  std::uint64_t sum = 0;
  (void)oisp::walk_span(span, [&sum](std::span<const std::byte> bytes) {
    if (const auto header = oisp::decode_header(bytes)) sum += header.value()->cpu;
    const auto record = oisp::decode_record(bytes);
    if (!record) return;
    if (const auto* tls = std::get_if<oisp::TlsDataView>(&record.value())) {
      for (const std::uint8_t byte : tls->payload) sum += byte;
    } else if (const auto* exec = std::get_if<oisp::ExecView>(&record.value())) {
      for (const char byte : exec->argv) sum += static_cast<unsigned char>(byte);
    } else if (const auto* hello = std::get_if<oisp::ClientHelloView>(&record.value())) {
      sum += oisp::decode_client_hello(hello->payload).ok() ? 1 : 0;
    }
  });
  return sum == UINT64_MAX ? 1 : 0;
}
