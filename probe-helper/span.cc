#include "probe-helper/span.h"

#include <linux/bpf.h>

#include <algorithm>
#include <cstring>

#include "base/bug.h"

namespace oisp {
namespace {

constexpr std::uint64_t low_high(std::uint64_t low, std::uint64_t high) { return low | high << 32; }

}  // namespace

RingRecord ring_record_at(const std::byte* header) {
  // The kernel clears the busy bit last: what is seen after it is whole.
  const std::uint32_t word = __atomic_load_n(reinterpret_cast<const std::uint32_t*>(header), __ATOMIC_ACQUIRE);
  const std::size_t length = word & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
  return {.length = length,
          .step = (length + BPF_RINGBUF_HDR_SZ + 7) / 8 * 8,
          .busy = (word & BPF_RINGBUF_BUSY_BIT) != 0,
          .discarded = (word & BPF_RINGBUF_DISCARD_BIT) != 0};
}

std::size_t whole_records(std::span<const std::byte> ring, std::size_t most) {
  most = std::min(most, ring.size());
  std::size_t end = 0;
  while (end + kRingHeaderBytes <= most) {
    const RingRecord record = ring_record_at(ring.data() + end);
    if (record.busy || record.step > most - end) break;
    end += record.step;
  }
  return end;
}

SpanHead make_span_head(std::uint64_t position, std::size_t span_bytes) {
  OISP_BUG_IF(span_bytes % 8 != 0 || span_bytes >= std::size_t{1} << 29);
  // Cap'n Proto encoding, "Serialization over a stream" and "Pointers". FromHelper has two data
  // words (the union's tag, the position) and one pointer. The Data is another segment as a whole,
  // so the pointer is a double-far one: its landing pad, two words, says where the bytes begin and
  // what they are.
  constexpr std::uint64_t kRecordsTag = 2;
  constexpr std::uint64_t kFar = 2;
  constexpr std::uint64_t kDoubleFar = kFar | 4;
  constexpr std::uint64_t kByteList = 2;
  const std::uint64_t words[8] = {
      low_high(2 - 1, 6),                          // segments less one; words of the first
      low_high(span_bytes / 8, 0),                 // words of the second; padding
      low_high(0, 2 | 1 << 16),                    // root: struct, 2 data words, 1 pointer
      kRecordsTag,                                 // data word 0
      position,                                    // data word 1
      low_high(kDoubleFar | 4 << 3, 0),            // pointer: the pad is word 4 of segment 0
      low_high(kFar | 0 << 3, 1),                  // pad: the bytes begin at word 0 of segment 1
      low_high(1, kByteList | (span_bytes << 3)),  // pad: a list of so many bytes
  };
  SpanHead head;
  static_assert(sizeof words == sizeof head);
  std::memcpy(head.data(), words, sizeof words);
  return head;
}

std::array<iovec, 2> unsent_parts(std::span<const std::byte> first, std::span<const std::byte> second,
                                  std::size_t sent) {
  const auto part = [](std::span<const std::byte> bytes) {
    return iovec{.iov_base = const_cast<std::byte*>(bytes.data()), .iov_len = bytes.size()};
  };
  const std::size_t of_first = std::min(sent, first.size());
  return {part(first.subspan(of_first)), part(second.subspan(sent - of_first))};
}

}  // namespace oisp
