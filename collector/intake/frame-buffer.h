// Cuts what comes over a stream socket into Cap'n Proto stream frames, and lets each be viewed where it
// was received: nothing is copied. The peer's segment table is checked, and nothing beyond it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "base/result.h"

namespace oisp {

enum class FrameError { too_many_segments, too_large };

class FrameBuffer {
 public:
  // Holds `capacity` bytes, which is at least twice `most_frame`. Frames have at most two segments.
  FrameBuffer(std::size_t most_frame, std::size_t capacity);

  // Where the next bytes go; never empty. Ends the views that next() gave.
  std::span<std::byte> space();
  void received(std::size_t bytes);
  void clear() { begin_ = end_ = 0; }
  // The next whole frame, 8-byte aligned, segment table included; nothing while it is incomplete.
  Result<std::optional<std::span<const std::byte>>, FrameError> next();

 private:
  // Size of the frame that begins at begin_; nothing while its table is incomplete.
  [[nodiscard]] Result<std::optional<std::size_t>, FrameError> frame_size() const;
  [[nodiscard]] std::byte* bytes() const { return reinterpret_cast<std::byte*>(words_.get()); }

  std::unique_ptr<std::uint64_t[]> words_;
  std::size_t most_frame_;
  std::size_t capacity_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace oisp
