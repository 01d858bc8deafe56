#include "collector/intake/frame-buffer.h"

#include <algorithm>
#include <cstring>

#include "base/bug.h"

namespace oisp {
namespace {

constexpr std::size_t kWord = 8;
constexpr std::uint32_t kMostSegments = 2;

std::uint32_t load32(const std::byte* from) {
  std::uint32_t value = 0;
  std::memcpy(&value, from, sizeof value);
  return value;  // the format is little-endian, as are all machines this runs on
}

}  // namespace

FrameBuffer::FrameBuffer(std::size_t most_frame, std::size_t capacity)
    : words_(std::make_unique_for_overwrite<std::uint64_t[]>(capacity / kWord)),
      most_frame_(most_frame),
      capacity_(capacity / kWord * kWord) {
  OISP_BUG_IF(capacity_ < 2 * most_frame_);
}

std::span<std::byte> FrameBuffer::space() {
  if (begin_ == end_) {
    begin_ = end_ = 0;
  } else if (capacity_ - begin_ < most_frame_) {
    // Whole frames have been taken, so what is left is the beginning of one.
    std::memmove(bytes(), bytes() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  return {bytes() + end_, capacity_ - end_};
}

void FrameBuffer::received(std::size_t count) {
  OISP_BUG_IF(count > capacity_ - end_);
  end_ += count;
}

Result<std::optional<std::size_t>, FrameError> FrameBuffer::frame_size() const {
  using Size = std::optional<std::size_t>;
  const std::size_t held = end_ - begin_;
  if (held < sizeof(std::uint32_t)) return Size{};
  const std::byte* table = bytes() + begin_;
  const std::uint32_t last_segment = load32(table);
  if (last_segment >= kMostSegments) return FrameError::too_many_segments;
  const std::size_t segments = last_segment + std::size_t{1};
  const std::size_t table_bytes = (4 + 4 * segments + kWord - 1) / kWord * kWord;
  if (held < table_bytes) return Size{};
  std::size_t size = table_bytes;
  for (std::size_t i = 0; i < segments; ++i) size += kWord * load32(table + 4 + 4 * i);
  if (size > most_frame_) return FrameError::too_large;
  return Size{size};
}

Result<std::optional<std::span<const std::byte>>, FrameError> FrameBuffer::next() {
  using Frame = std::optional<std::span<const std::byte>>;
  auto size = frame_size();
  if (!size) return size.error();
  if (!*size || **size > end_ - begin_) return Frame{};
  const std::span<const std::byte> frame(bytes() + begin_, **size);
  begin_ += **size;
  return Frame{frame};
}

}  // namespace oisp
