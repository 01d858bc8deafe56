#include "collector/frame.h"

#include <cstring>

namespace oisp {

Chunk frame_of(capnp::MessageBuilder& message) {
  const auto segments = message.getSegmentsForOutput();
  const std::size_t table_words = (1 + segments.size() + 1) / 2;  // count and sizes, 4 bytes each, padded to a word
  std::size_t words = table_words;
  for (const auto segment : segments) words += segment.size();
  Chunk chunk = Chunk::make(words * sizeof(std::uint64_t));
  chunk.words[table_words - 1] = 0;
  auto* table = reinterpret_cast<std::uint32_t*>(chunk.span().data());
  *table++ = static_cast<std::uint32_t>(segments.size() - 1);
  std::byte* out = chunk.span().data() + table_words * sizeof(std::uint64_t);
  for (const auto segment : segments) {
    *table++ = static_cast<std::uint32_t>(segment.size());
    const auto bytes = segment.asBytes();
    std::memcpy(out, bytes.begin(), bytes.size());
    out += bytes.size();
  }
  return chunk;
}

}  // namespace oisp
