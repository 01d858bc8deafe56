// What one HTTP connection may cost, whatever its bytes say.
#pragma once

#include <cstddef>
#include <cstdint>

namespace oisp {

struct HttpLimits {
  // Bytes of one decoded body that are kept; a prompt with a few images fits. Sizes stay true beyond it.
  std::size_t max_body = std::size_t{8} << 20;
  // Bodies of all open exchanges of a connection together: one request and its answer at their largest,
  // and as much again for what a pipelining client sent ahead.
  std::size_t max_kept = std::size_t{32} << 20;
  // Start line and headers of one message. Servers refuse far less (Node.js 16 KiB, nginx 32 KiB).
  std::size_t max_head = std::size_t{256} << 10;
  std::size_t max_headers = 512;
  // Requests waiting for their answers. No client in use pipelines this deep.
  std::size_t max_open = 64;
  // Streams of an HTTP/2 connection that are open at once. Servers allow 100 to 250.
  std::size_t max_streams = 256;
  // Bytes that one body may decompress to, and, beyond max_body, how many per compressed byte (deflate
  // reaches 1032): what lies beyond is neither kept nor counted.
  std::uint64_t max_inflated = std::uint64_t{64} << 20;
  std::uint64_t max_ratio = 200;
};

// HPACK's dynamic table of one direction: what Chromium asks for, the most that is in use.
inline constexpr std::uint32_t kMostHpackTable = 65536;

}  // namespace oisp
