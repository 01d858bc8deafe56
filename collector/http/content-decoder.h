// Content codings (RFC 9110, section 8.4.1): gzip, deflate, br (RFC 7932), zstd (RFC 8878).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "collector/http/limits.h"

namespace oisp {

class ContentDecoder {
 public:
  enum class Outcome : std::uint8_t { fine, broken, too_large };
  using PieceSink = std::function<void(std::string_view)>;

  explicit ContentDecoder(const HttpLimits& limits) : limits_(limits) {}
  virtual ~ContentDecoder() = default;
  ContentDecoder(const ContentDecoder&) = delete;
  ContentDecoder& operator=(const ContentDecoder&) = delete;

  Outcome add(std::string_view bytes, const PieceSink& sink) {
    in_bytes_ += bytes.size();
    return run(bytes, sink);
  }
  // All that began has ended; what is empty has too.
  [[nodiscard]] bool whole() const { return in_bytes_ == 0 || ended_; }

 protected:
  // Decodes all of `bytes`, and tells `emit` of each piece.
  virtual Outcome run(std::string_view bytes, const PieceSink& sink) = 0;
  // False: more than a body may decompress to.
  [[nodiscard]] bool emit(std::string_view piece, const PieceSink& sink);

  const HttpLimits& limits_;
  bool ended_ = false;

 private:
  std::uint64_t in_bytes_ = 0;
  std::uint64_t out_bytes_ = 0;
};

// Null: a coding that this program does not know. `limits` outlive the decoder.
std::unique_ptr<ContentDecoder> make_content_decoder(std::string_view encoding, const HttpLimits& limits);

}  // namespace oisp
