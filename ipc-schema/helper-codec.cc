#include "ipc-schema/helper-codec.h"

#include <cstring>

#include "base/bug.h"

namespace oisp {
namespace {

constexpr std::uint64_t low_high(std::uint64_t low, std::uint64_t high) { return low | high << 32; }

}  // namespace

// Cap'n Proto encoding, "Serialization over a stream" and "Pointers".
FrameHead make_frame_head(HelperSays kind, std::uint64_t position, std::size_t bytes) {
  OISP_BUG_IF(bytes == 0 || bytes % 8 != 0 || bytes >= std::size_t{1} << 29);
  // FromHelper has two data words (the union's tag, the position) and one pointer. The Data is another
  // segment as a whole, so the pointer is a double-far one: its landing pad, two words, says where the
  // bytes begin and what they are.
  constexpr std::uint64_t kFar = 2;
  constexpr std::uint64_t kDoubleFar = kFar | 4;
  constexpr std::uint64_t kByteList = 2;
  const std::uint64_t words[] = {
      low_high(2 - 1, 6),                     // segments less one; words of the first
      low_high(bytes / 8, 0),                 // words of the second; padding
      low_high(0, 2 | 1 << 16),               // root: struct, 2 data words, 1 pointer
      static_cast<std::uint64_t>(kind),       // data word 0
      position,                               // data word 1
      low_high(kDoubleFar | 4 << 3, 0),       // pointer: the pad is word 4 of segment 0
      low_high(kFar | 0 << 3, 1),             // pad: the bytes begin at word 0 of segment 1
      low_high(1, kByteList | (bytes << 3)),  // pad: a list of so many bytes
  };
  FrameHead head;
  static_assert(sizeof words == sizeof head);
  std::memcpy(head.data(), words, sizeof words);
  return head;
}

std::optional<CollectorRequest> decode_request(std::span<const std::byte, kRequestBytes> frame) {
  std::uint64_t words[kRequestBytes / 8];
  static_assert(sizeof words == kRequestBytes);
  std::memcpy(words, frame.data(), sizeof words);
  // One segment of four words; its root a struct of three data words without pointers.
  if (words[0] != low_high(0, 4) || words[1] != low_high(0, 3)) return {};
  const auto kind = static_cast<CollectorRequest::Kind>(words[2] & 0xffff);
  if (kind < CollectorRequest::Kind::credit || kind > CollectorRequest::Kind::release_file) return {};
  // The union's members overlap: who reads one knows the kind.
  return CollectorRequest{.kind = kind,
                          .credit_bytes = words[3],
                          .tgid = static_cast<std::uint32_t>(words[3]),
                          .session = words[4],
                          .device = words[3],
                          .inode = words[4]};
}

}  // namespace oisp
