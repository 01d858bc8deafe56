// Is this the beginning of an HTTP message? Asked of a stream's first bytes, and after a gap, of the
// first bytes of TLS calls.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace oisp {

enum class StartLine : std::uint8_t { unknown, request, response, http2, none };

// Collects bytes until they are known to be a start line or not to be one.
class StartLineScanner {
 public:
  // `most_bytes`: a line longer than this is none.
  explicit StartLineScanner(std::size_t most_bytes) : most_bytes_(most_bytes) {}

  StartLine add(std::string_view bytes, std::uint64_t now_ns);
  void clear();
  [[nodiscard]] bool empty() const { return bytes_.empty(); }
  [[nodiscard]] std::size_t size() const { return bytes_.size(); }
  // When the first of the collected bytes came.
  [[nodiscard]] std::uint64_t first_ns() const { return first_ns_; }
  // All that was collected; the scanner is empty then.
  std::string take();

 private:
  [[nodiscard]] StartLine look();

  std::size_t most_bytes_;
  std::string bytes_;
  std::size_t scanned_ = 0;  // no line feed before here
  std::uint64_t first_ns_ = 0;
};

// For streams that were joined late, where no preface was seen: do these bytes of one call consist of
// HTTP/2 frames?
bool looks_like_http2_frames(std::string_view bytes);

}  // namespace oisp
