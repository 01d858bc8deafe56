#include "collector/http/body-reader.h"

#include <strings.h>

#include <algorithm>

namespace oisp {

BodyReader::BodyReader(HttpMessage& message, const HttpLimits& limits, std::size_t& kept_bytes)
    : message_(message), limits_(limits), kept_bytes_(kept_bytes) {}

BodyReader::~BodyReader() { kept_bytes_ -= message_.body.bytes.size(); }

void BodyReader::begin() {
  std::string& encoding = message_.body.encoding;
  encoding = message_.headers.find("content-encoding").value_or(std::string_view{});
  message_.body.decoded_bytes = 0;
  if (encoding.empty() || ::strcasecmp(encoding.c_str(), "identity") == 0) return;
  decoder_ = make_content_decoder(encoding, limits_);
  coding_ = decoder_ == nullptr ? Coding::unknown : Coding::known;
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
  decoder_.reset();
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
    case Coding::known:
      break;
  }
  if (decoder_ == nullptr) {
    return;
  }
  switch (decoder_->add(bytes, [&](std::string_view piece) { take_decoded(piece, sink); })) {
    case ContentDecoder::Outcome::fine:
      return;
    case ContentDecoder::Outcome::broken:
      stop_decoding(Missing::encoding_broken);
      return;
    case ContentDecoder::Outcome::too_large:
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
  if (decoder_ != nullptr && !decoder_->whole()) {
    message_.missing.add(Missing::encoding_broken);
  }
  decoder_.reset();
}

}  // namespace oisp
