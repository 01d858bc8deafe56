// The helper's side of the probe channel (probe.capnp), word by word: all that it says is one shape of
// Cap'n Proto message, all that it hears another. So nothing is parsed where there is privilege.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace oisp {

// Kinds of FromHelper, as its union numbers them.
enum class HelperSays : std::uint64_t { hello = 1, records = 2, file = 3, counters = 4, drained = 5 };

// What stands before the bytes of a message: the stream header for two segments and the first segment, a
// FromHelper whose Data is the whole second segment.
using FrameHead = std::array<std::byte, 64>;

// `position`: of records. `bytes`: of the Data that follows; a multiple of 8, above 0 and below 2^29.
FrameHead make_frame_head(HelperSays kind, std::uint64_t position, std::size_t bytes);

// What the collector may ask for.
struct CollectorRequest {
  enum class Kind : std::uint16_t { credit = 1, ignore_stream = 2, ask_counters = 3, release_file = 4 };
  Kind kind = Kind::credit;
  std::uint64_t credit_bytes = 0;
  std::uint32_t tgid = 0;
  std::uint64_t session = 0;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
};

// Every ToHelper as a stream frame: its header, the root pointer, three words.
inline constexpr std::size_t kRequestBytes = 40;

// Nothing where `frame`, a stranger's, is anything else.
std::optional<CollectorRequest> decode_request(std::span<const std::byte, kRequestBytes> frame);

}  // namespace oisp
