#include "collector/http/body-reader.h"

#include <strings.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <utility>

namespace oisp {
namespace {

constexpr std::size_t kPieceBytes = 16384;

bool same_word(std::string_view a, std::string_view b) {
  return a.size() == b.size() && ::strncasecmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

// zlib's inflate over gzip (several members too), zlib and raw deflate data.
class BodyReader::Inflater {
 public:
  enum class Outcome : std::uint8_t { fine, broken, too_large };

  Inflater(Coding coding, const HttpLimits& limits) : limits_(limits), coding_(coding) {}
  ~Inflater() {
    if (open_) {
      (void)::inflateEnd(&stream_);
    }
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  Outcome add(std::string_view bytes, const PieceSink& sink) {
    in_bytes_ += bytes.size();
    if (open_) {
      return run(bytes, sink);
    }
    // "deflate" is zlib data by RFC 9110 and raw deflate in practice: the first two bytes tell.
    start_.append(bytes);
    if (start_.size() < 2) {
      return Outcome::fine;
    }
    if (!open()) {
      return Outcome::broken;
    }
    const std::string start = std::exchange(start_, {});
    return run(start, sink);
  }

  // All that began has ended; what is empty has too.
  [[nodiscard]] bool whole() const { return in_bytes_ == 0 || ended_; }

 private:
  bool open() {
    const auto first = static_cast<unsigned char>(start_[0]);
    const auto second = static_cast<unsigned char>(start_[1]);
    const bool zlib_head = (first & 0x0f) == Z_DEFLATED && (first * 256u + second) % 31 == 0;
    const int window = coding_ == Coding::gzip ? MAX_WBITS + 16 : zlib_head ? MAX_WBITS : -MAX_WBITS;
    open_ = ::inflateInit2(&stream_, window) == Z_OK;
    return open_;
  }

  Outcome run(std::string_view bytes, const PieceSink& sink) {
    // zlib does not write to its input.
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream_.avail_in = static_cast<uInt>(bytes.size());
    std::array<char, kPieceBytes> piece;  // NOLINT: written before it is read
    do {
      if (ended_ && !next_member()) {
        return Outcome::fine;
      }
      stream_.next_out = reinterpret_cast<Bytef*>(piece.data());
      stream_.avail_out = static_cast<uInt>(piece.size());
      const int result = ::inflate(&stream_, Z_SYNC_FLUSH);
      const std::size_t size = piece.size() - stream_.avail_out;
      out_bytes_ += size;
      if (size > 0) {
        sink(std::string_view(piece.data(), size));
      }
      ended_ = result == Z_STREAM_END;
      if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) {
        return Outcome::broken;
      }
      if (out_bytes_ > limits_.max_inflated ||
          (out_bytes_ > limits_.max_body && out_bytes_ / limits_.max_ratio > in_bytes_)) {
        return Outcome::too_large;
      }
    } while (stream_.avail_in > 0 || stream_.avail_out == 0);
    return Outcome::fine;
  }

  // More input after the end: another gzip member begins, or it is padding that every decoder ignores.
  bool next_member() {
    if (coding_ != Coding::gzip || stream_.avail_in == 0 || *stream_.next_in != 0x1f) {
      return false;
    }
    ended_ = false;
    return ::inflateReset(&stream_) == Z_OK;
  }

  const HttpLimits& limits_;
  z_stream stream_ = {};
  Coding coding_;
  std::string start_;
  std::uint64_t in_bytes_ = 0;
  std::uint64_t out_bytes_ = 0;
  bool open_ = false;
  bool ended_ = false;
};

BodyReader::BodyReader(HttpMessage& message, const HttpLimits& limits, std::size_t& kept_bytes)
    : message_(message), limits_(limits), kept_bytes_(kept_bytes) {}

BodyReader::~BodyReader() { kept_bytes_ -= message_.body.bytes.size(); }

BodyReader::Coding BodyReader::coding_of(std::string_view encoding) {
  if (encoding.empty() || same_word(encoding, "identity")) {
    return Coding::identity;
  }
  if (same_word(encoding, "gzip") || same_word(encoding, "x-gzip")) {
    return Coding::gzip;
  }
  return same_word(encoding, "deflate") ? Coding::deflate : Coding::unknown;
}

void BodyReader::begin() {
  message_.body.encoding = message_.headers.find("content-encoding").value_or(std::string_view{});
  message_.body.decoded_bytes = 0;
  coding_ = coding_of(message_.body.encoding);
  if (coding_ == Coding::gzip || coding_ == Coding::deflate) {
    inflater_ = std::make_unique<Inflater>(coding_, limits_);
  }
}

void BodyReader::keep(std::string_view bytes) {
  std::string& kept = message_.body.bytes;
  const std::size_t room =
      std::min(limits_.max_body - kept.size(), limits_.max_kept - std::min(kept_bytes_, limits_.max_kept));
  if (!keeping_) {
    return;
  }
  if (bytes.size() > room) {
    message_.missing.add(Missing::body_too_large);
    keeping_ = false;
    bytes = bytes.substr(0, room);
  }
  kept.append(bytes);
  kept_bytes_ += bytes.size();
}

void BodyReader::take_decoded(std::string_view piece, const PieceSink& sink) {
  if (message_.body.decoded_bytes >= 0) {
    message_.body.decoded_bytes += static_cast<std::int64_t>(piece.size());
  }
  keep(piece);
  sink(piece);
}

void BodyReader::stop_decoding(Missing cause) {
  message_.missing.add(cause);
  message_.body.decoded_bytes = -1;
  inflater_.reset();
  keeping_ = false;
}

void BodyReader::add(std::string_view bytes, const PieceSink& sink) {
  if (message_.body.wire_bytes == 0 && coding_ == Coding::unknown && !bytes.empty()) {
    message_.missing.add(Missing::encoding_not_decoded);
    message_.body.decoded_bytes = -1;
  }
  message_.body.wire_bytes += bytes.size();
  switch (coding_) {
    case Coding::identity:
      take_decoded(bytes, sink);
      return;
    case Coding::unknown:
      keep(bytes);
      return;
    case Coding::gzip:
    case Coding::deflate:
      break;
  }
  if (inflater_ == nullptr) {
    return;
  }
  switch (inflater_->add(bytes, [&](std::string_view piece) { take_decoded(piece, sink); })) {
    case Inflater::Outcome::fine:
      return;
    case Inflater::Outcome::broken:
      stop_decoding(Missing::encoding_broken);
      return;
    case Inflater::Outcome::too_large:
      stop_decoding(Missing::body_too_large);
      return;
  }
}

void BodyReader::skip(std::uint64_t bytes, Missing cause) {
  message_.body.wire_bytes += bytes;
  message_.missing.add(cause);
  keeping_ = false;
  if (coding_ == Coding::identity && bytes > 0) {
    if (message_.body.decoded_bytes >= 0) {
      message_.body.decoded_bytes += static_cast<std::int64_t>(bytes);
    }
    return;
  }
  stop_decoding(cause);
}

void BodyReader::end() {
  if (inflater_ != nullptr && !inflater_->whole()) {
    message_.missing.add(Missing::encoding_broken);
  }
  inflater_.reset();
}

}  // namespace oisp
