#include "collector/http/content-decoder.h"

#include <brotli/decode.h>
#include <strings.h>
#include <zlib.h>
#include <zstd.h>

#include <array>
#include <string>
#include <utility>

#include "base/bug.h"

namespace oisp {
namespace {

constexpr std::size_t kPieceBytes = 16384;
// What a decoder for the web has to support and a sender may not exceed (RFC 9659): 8 MiB.
constexpr int kZstdWindowLog = 23;

bool same_word(std::string_view a, std::string_view b) {
  return a.size() == b.size() && ::strncasecmp(a.data(), b.data(), a.size()) == 0;
}

// gzip (several members too), zlib and raw deflate data.
class ZlibDecoder final : public ContentDecoder {
 public:
  ZlibDecoder(const HttpLimits& limits, bool gzip) : ContentDecoder(limits), gzip_(gzip) {}
  ~ZlibDecoder() override {
    if (open_) (void)::inflateEnd(&stream_);
  }

 private:
  Outcome run(std::string_view bytes, const PieceSink& sink) override {
    if (open_) return inflate_all(bytes, sink);
    // "deflate" is zlib data by RFC 9110 and raw deflate in practice: the first two bytes tell.
    start_.append(bytes);
    if (start_.size() < 2) return Outcome::fine;
    if (!open()) return Outcome::broken;
    const std::string start = std::exchange(start_, {});
    return inflate_all(start, sink);
  }

  bool open() {
    const auto first = static_cast<unsigned char>(start_[0]);
    const auto second = static_cast<unsigned char>(start_[1]);
    const bool zlib_head = (first & 0x0f) == Z_DEFLATED && (first * 256u + second) % 31 == 0;
    const int window = gzip_ ? MAX_WBITS + 16 : zlib_head ? MAX_WBITS : -MAX_WBITS;
    open_ = ::inflateInit2(&stream_, window) == Z_OK;
    return open_;
  }

  Outcome inflate_all(std::string_view bytes, const PieceSink& sink) {
    // zlib does not write to its input.
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream_.avail_in = static_cast<uInt>(bytes.size());
    std::array<char, kPieceBytes> piece;  // NOLINT: written before it is read
    do {
      if (ended_ && !next_member()) return Outcome::fine;
      stream_.next_out = reinterpret_cast<Bytef*>(piece.data());
      stream_.avail_out = static_cast<uInt>(piece.size());
      const int result = ::inflate(&stream_, Z_SYNC_FLUSH);
      const bool fits = emit({piece.data(), piece.size() - stream_.avail_out}, sink);
      ended_ = result == Z_STREAM_END;
      if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) return Outcome::broken;
      if (!fits) return Outcome::too_large;
    } while (stream_.avail_in > 0 || stream_.avail_out == 0);
    return Outcome::fine;
  }

  // More input after the end: another gzip member begins, or it is padding that every decoder ignores.
  bool next_member() {
    if (!gzip_ || stream_.avail_in == 0 || *stream_.next_in != 0x1f) return false;
    ended_ = false;
    return ::inflateReset(&stream_) == Z_OK;
  }

  bool gzip_;
  z_stream stream_ = {};
  std::string start_;
  bool open_ = false;
};

class BrotliDecoder final : public ContentDecoder {
 public:
  explicit BrotliDecoder(const HttpLimits& limits)
      : ContentDecoder(limits), state_(::BrotliDecoderCreateInstance(nullptr, nullptr, nullptr)) {
    OISP_BUG_IF(state_ == nullptr);  // only without memory
  }
  ~BrotliDecoder() override { ::BrotliDecoderDestroyInstance(state_); }

 private:
  Outcome run(std::string_view bytes, const PieceSink& sink) override {
    const auto* next = reinterpret_cast<const std::uint8_t*>(bytes.data());
    std::size_t left = bytes.size();
    while (!ended_) {
      std::size_t room = 0;  // what is decoded stays in the decoder until it is taken
      const BrotliDecoderResult result = ::BrotliDecoderDecompressStream(state_, &left, &next, &room, nullptr, nullptr);
      while (::BrotliDecoderHasMoreOutput(state_) != BROTLI_FALSE) {
        std::size_t size = kPieceBytes;
        const std::uint8_t* piece = ::BrotliDecoderTakeOutput(state_, &size);
        if (!emit({reinterpret_cast<const char*>(piece), size}, sink)) return Outcome::too_large;
      }
      if (result == BROTLI_DECODER_RESULT_ERROR) return Outcome::broken;
      if (result == BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT) return Outcome::fine;
      ended_ = result == BROTLI_DECODER_RESULT_SUCCESS;
    }
    return Outcome::fine;
  }

  BrotliDecoderState* state_;
};

// One frame after another.
class ZstdDecoder final : public ContentDecoder {
 public:
  explicit ZstdDecoder(const HttpLimits& limits) : ContentDecoder(limits), stream_(::ZSTD_createDStream()) {
    OISP_BUG_IF(stream_ == nullptr);  // only without memory
    (void)::ZSTD_DCtx_setParameter(stream_, ZSTD_d_windowLogMax, kZstdWindowLog);
  }
  ~ZstdDecoder() override { (void)::ZSTD_freeDStream(stream_); }

 private:
  Outcome run(std::string_view bytes, const PieceSink& sink) override {
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    std::array<char, kPieceBytes> piece;  // NOLINT: written before it is read
    bool filled = false;
    while (in.pos < in.size || filled) {
      ZSTD_outBuffer out{piece.data(), piece.size(), 0};
      const std::size_t left = ::ZSTD_decompressStream(stream_, &out, &in);
      if (::ZSTD_isError(left) != 0) return Outcome::broken;
      if (!emit({piece.data(), out.pos}, sink)) return Outcome::too_large;
      ended_ = left == 0;
      filled = out.pos == out.size && !ended_;
    }
    return Outcome::fine;
  }

  ZSTD_DStream* stream_;
};

}  // namespace

bool ContentDecoder::emit(std::string_view piece, const PieceSink& sink) {
  out_bytes_ += piece.size();
  if (!piece.empty()) sink(piece);
  return out_bytes_ <= limits_.max_inflated &&
         (out_bytes_ <= limits_.max_body || out_bytes_ / limits_.max_ratio <= in_bytes_);
}

std::unique_ptr<ContentDecoder> make_content_decoder(std::string_view encoding, const HttpLimits& limits) {
  if (same_word(encoding, "gzip") || same_word(encoding, "x-gzip")) return std::make_unique<ZlibDecoder>(limits, true);
  if (same_word(encoding, "deflate")) return std::make_unique<ZlibDecoder>(limits, false);
  if (same_word(encoding, "br")) return std::make_unique<BrotliDecoder>(limits);
  if (same_word(encoding, "zstd")) return std::make_unique<ZstdDecoder>(limits);
  return nullptr;
}

}  // namespace oisp
