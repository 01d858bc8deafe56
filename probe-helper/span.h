// Spans of a kernel ring as messages: where whole records end, and the fixed words before a span.
#pragma once

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace oisp {

// Bytes from the start of `ring` that are whole, committed records (headers and padding included),
// at most `most`. Looks at the kernel's 8-byte headers only.
std::size_t whole_records(std::span<const std::byte> ring, std::size_t most);

// One ring header, decoded.
struct RingRecord {
  std::size_t length = 0;  // of the payload behind the header
  std::size_t step = 0;    // from this header to the next
  bool busy = false;
  bool discarded = false;
};
RingRecord ring_record_at(const std::byte* header);
inline constexpr std::size_t kRingHeaderBytes = 8;

// What stands before a span on the probe channel: a Cap'n Proto stream header for two segments and
// the first segment, a FromHelper.records whose Data is the whole second segment. `span_bytes` is a
// multiple of 8 and below 2^29.
using SpanHead = std::array<std::byte, 64>;
SpanHead make_span_head(std::uint64_t position, std::size_t span_bytes);

// What is left of `first` and then `second` once `sent` bytes of the two are gone. For sendmsg, which
// only reads them.
std::array<iovec, 2> unsent_parts(std::span<const std::byte> first, std::span<const std::byte> second,
                                  std::size_t sent);

}  // namespace oisp
