#include "collector/http/http2-frames.h"

#include <algorithm>

#include "collector/http/start-line.h"

namespace oisp {
namespace {

// RFC 9113, section 6.
enum FrameType : std::uint8_t {
  kData = 0,
  kHeaders = 1,
  kResetStream = 3,
  kSettings = 4,
  kPushPromise = 5,
  kGoaway = 7,
  kContinuation = 9,
};
constexpr std::uint8_t kEndStream = 0x1;  // of DATA and HEADERS
constexpr std::uint8_t kAck = 0x1;        // of SETTINGS
constexpr std::uint8_t kEndHeaders = 0x4;
constexpr std::uint8_t kPadded = 0x8;
constexpr std::uint8_t kPriority = 0x20;

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr std::size_t kHeadBytes = 9;
// A head that says more is none: receivers allow 16 KiB where they do not say more, and 1 MiB at most in use.
constexpr std::uint32_t kLongestFrame = 1 << 20;
constexpr std::uint32_t kLongestSettings = 4096;
constexpr std::uint16_t kHeaderTableSize = 0x1;

std::uint32_t number_at(std::string_view bytes, std::size_t at, std::size_t size) {
  std::uint32_t number = 0;
  for (const char c : bytes.substr(at, size)) number = number << 8 | static_cast<unsigned char>(c);
  return number;
}

std::uint32_t stream_at(std::string_view bytes, std::size_t at) { return number_at(bytes, at, 4) & 0x7fffffff; }

}  // namespace

Http2FrameReader::Http2FrameReader(Http2FrameSink& sink, const HttpLimits& limits, bool hunting)
    : sink_(sink), limits_(limits), hunting_(hunting) {}

void Http2FrameReader::feed(std::string_view bytes, bool call_begins) {
  if (hunting_) {
    if (!call_begins || !looks_like_http2_frames(bytes)) return;
    hunting_ = false;
    at_start_ = false;
  }
  while (!bytes.empty() && !hunting_) {
    if (in_payload_) {
      take_payload(bytes);
    } else {
      take_head(bytes);
    }
  }
}

void Http2FrameReader::take_head(std::string_view& bytes) {
  if (small_.empty()) frame_first_ns_ = block_stream_ == 0 ? now_ns_ : frame_first_ns_;
  const bool preface = at_start_ && (small_.empty() ? bytes : std::string_view(small_)).front() == kPreface.front();
  const std::size_t wanted = preface ? kPreface.size() : kHeadBytes;
  const std::size_t taken = std::min(wanted - small_.size(), bytes.size());
  small_.append(bytes.substr(0, taken));
  bytes.remove_prefix(taken);
  if (small_.size() < wanted) return;
  at_start_ = false;
  if (preface) {
    if (small_ != kPreface) return lose(Missing::malformed);
    return small_.clear();
  }
  head_ = {.length = number_at(small_, 0, 3),
           .type = static_cast<std::uint8_t>(small_[3]),
           .flags = static_cast<std::uint8_t>(small_[4]),
           .stream = stream_at(small_, 5)};
  small_.clear();
  begin_frame();
}

// What stands before the payload proper: the padding's length, a priority, a promised stream.
std::uint32_t Http2FrameReader::prefix_bytes() const {
  const bool padded = (head_.flags & kPadded) != 0;
  switch (head_.type) {
    case kData:
      return padded ? 1 : 0;
    case kHeaders:
      return (padded ? 1u : 0u) + ((head_.flags & kPriority) != 0 ? 5u : 0u);
    case kPushPromise:
      return (padded ? 1u : 0u) + 4u;
    default:
      return 0;
  }
}

void Http2FrameReader::begin_frame() {
  const bool block = head_.type == kHeaders || head_.type == kPushPromise || head_.type == kContinuation;
  // Between the frames of a header block there is nothing else (section 6.10).
  const bool in_order =
      block_stream_ == 0 ? head_.type != kContinuation : head_.type == kContinuation && head_.stream == block_stream_;
  const bool sized = head_.length <= kLongestFrame && prefix_bytes() <= head_.length &&
                     (head_.type != kSettings || head_.length <= kLongestSettings);
  if (!in_order || !sized || ((block || head_.type == kData) && head_.stream == 0)) return lose(Missing::malformed);
  if (block && head_.type != kContinuation) {
    block_stream_ = head_.stream;
    block_ends_stream_ = head_.type == kHeaders && (head_.flags & kEndStream) != 0;
    block_promised_ = head_.type == kPushPromise;
  }
  in_payload_ = true;
  prefixed_ = prefix_bytes() == 0;
  left_ = head_.length;
  padding_ = 0;
  if (left_ == 0) end_frame();
}

void Http2FrameReader::take_payload(std::string_view& bytes) {
  if (!prefixed_) {
    const std::size_t taken = std::min<std::size_t>(prefix_bytes() - small_.size(), bytes.size());
    small_.append(bytes.substr(0, taken));
    bytes.remove_prefix(taken);
    if (small_.size() < prefix_bytes()) return;
    padding_ = (head_.flags & kPadded) != 0 ? number_at(small_, 0, 1) : 0;
    left_ -= static_cast<std::uint32_t>(small_.size());
    small_.clear();
    if (padding_ > left_) return lose(Missing::malformed);
    left_ -= padding_;
    prefixed_ = true;
  } else if (left_ > 0) {
    const std::string_view piece = bytes.substr(0, left_);
    bytes.remove_prefix(piece.size());
    left_ -= static_cast<std::uint32_t>(piece.size());
    switch (head_.type) {
      case kData:
        sink_.on_data(head_.stream, piece);
        break;
      case kHeaders:
      case kPushPromise:
      case kContinuation:
        if (!fits_a_block()) return lose(Missing::over_limit);
        block_.append(piece);
        break;
      case kResetStream:
      case kSettings:
        small_.append(piece);
        break;
      case kGoaway:
        small_.append(piece.substr(0, 8 - std::min<std::size_t>(8, small_.size())));
        break;
      default:
        break;
    }
  } else {
    const std::size_t taken = std::min<std::size_t>(padding_, bytes.size());
    bytes.remove_prefix(taken);
    padding_ -= static_cast<std::uint32_t>(taken);
  }
  if (left_ == 0 && padding_ == 0) end_frame();
}

bool Http2FrameReader::fits_a_block() const { return block_.size() + left_ <= limits_.max_head; }

void Http2FrameReader::end_frame() {
  in_payload_ = false;
  switch (head_.type) {
    case kData:
      if ((head_.flags & kEndStream) != 0) sink_.on_data_end(head_.stream);
      break;
    case kHeaders:
    case kPushPromise:
    case kContinuation:
      if ((head_.flags & kEndHeaders) != 0) end_block();
      break;
    case kResetStream:
      sink_.on_reset(head_.stream);
      break;
    case kSettings:
      if ((head_.flags & kAck) == 0) end_settings();
      break;
    case kGoaway:
      if (small_.size() >= 4) sink_.on_goaway(stream_at(small_, 0));
      break;
    default:
      break;
  }
  small_.clear();
}

void Http2FrameReader::end_block() {
  const std::string block = std::move(block_);
  const std::uint32_t stream = block_stream_;
  block_ = {};
  block_stream_ = 0;
  sink_.on_header_block(stream, block, block_ends_stream_, block_promised_);
}

void Http2FrameReader::end_settings() {
  for (std::string_view rest = small_; rest.size() >= 6; rest.remove_prefix(6)) {
    if (number_at(rest, 0, 2) == kHeaderTableSize) sink_.on_table_size(number_at(rest, 2, 4));
  }
}

void Http2FrameReader::lose(Missing cause) {
  hunting_ = true;
  in_payload_ = false;
  small_.clear();
  block_ = {};
  block_stream_ = 0;
  sink_.on_frames_lost(cause);
}

void Http2FrameReader::skip(std::uint64_t bytes, Missing cause) {
  if (hunting_) return sink_.on_frames_lost(cause);
  // Inside DATA the frame says how far it goes. Of other frames one had to know what they said.
  const bool inside = bytes > 0 && in_payload_ && head_.type == kData && prefixed_ && bytes <= left_ + padding_;
  if (!inside) return lose(cause);
  const auto of_data = static_cast<std::uint32_t>(std::min<std::uint64_t>(bytes, left_));
  left_ -= of_data;
  padding_ -= static_cast<std::uint32_t>(bytes) - of_data;
  if (of_data > 0) sink_.on_data_gap(head_.stream, of_data, cause);
  if (left_ == 0 && padding_ == 0) end_frame();
}

}  // namespace oisp
