#include "collector/http/start-line.h"

#include <array>

namespace oisp {
namespace {

// Methods of RFC 9110, WebDAV and a few that are in use; what llhttp parses, without RTSP.
constexpr std::array kMethods = std::to_array<std::string_view>(
    {"GET",        "POST",        "PUT",   "DELETE", "HEAD",   "OPTIONS", "PATCH",     "CONNECT",  "TRACE",
     "PROPFIND",   "PROPPATCH",   "MKCOL", "COPY",   "MOVE",   "LOCK",    "UNLOCK",    "SEARCH",   "REPORT",
     "MKACTIVITY", "CHECKOUT",    "MERGE", "BIND",   "REBIND", "UNBIND",  "ACL",       "M-SEARCH", "NOTIFY",
     "SUBSCRIBE",  "UNSUBSCRIBE", "PURGE", "LINK",   "UNLINK", "SOURCE",  "MKCALENDAR"});

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n";
constexpr std::size_t kFrameHead = 9;  // RFC 9113, section 4.1
constexpr std::size_t kLargestFrame = 16384;

enum class Fit : std::uint8_t { no, so_far, whole };

Fit fit_prefix(std::string_view bytes, std::string_view pattern) {
  const std::size_t size = std::min(bytes.size(), pattern.size());
  if (bytes.substr(0, size) != pattern.substr(0, size)) {
    return Fit::no;
  }
  return size == pattern.size() ? Fit::whole : Fit::so_far;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// "HTTP/1.x NNN"
Fit fit_response(std::string_view bytes) {
  if (const Fit fit = fit_prefix(bytes, "HTTP/1."); fit != Fit::whole) {
    return fit;
  }
  constexpr std::string_view kShape = "HTTP/1.d ddd";
  for (std::size_t i = 7; i < kShape.size(); ++i) {
    if (i == bytes.size()) {
      return Fit::so_far;
    }
    if (kShape[i] == 'd' ? !is_digit(bytes[i]) : bytes[i] != kShape[i]) {
      return Fit::no;
    }
  }
  return Fit::whole;
}

// "METHOD x"
Fit fit_method(std::string_view bytes) {
  const std::size_t space = bytes.find(' ');
  const std::string_view word = bytes.substr(0, space);
  for (const std::string_view method : kMethods) {
    if (space != std::string_view::npos ? word == method : method.starts_with(word)) {
      if (space == std::string_view::npos || space + 1 == bytes.size()) {
        return Fit::so_far;
      }
      const char next = bytes[space + 1];
      return next > ' ' && next < 0x7f ? Fit::whole : Fit::no;
    }
  }
  return Fit::no;
}

bool ends_with_version(std::string_view line) {
  if (line.ends_with('\r')) {
    line.remove_suffix(1);
  }
  constexpr std::string_view kVersion = " HTTP/1.";
  return line.size() > kVersion.size() && is_digit(line.back()) && line.substr(0, line.size() - 1).ends_with(kVersion);
}

std::uint32_t byte_at(std::string_view bytes, std::size_t at) { return static_cast<unsigned char>(bytes[at]); }

std::size_t frame_length(std::string_view frame) {
  return byte_at(frame, 0) << 16 | byte_at(frame, 1) << 8 | byte_at(frame, 2);
}

// A server's first frame: SETTINGS, not an acknowledgement, on stream 0.
Fit fit_settings(std::string_view bytes) {
  constexpr std::array<int, kFrameHead> kShape = {0, 0, -1, 4, 0, 0, 0, 0, 0};
  for (std::size_t i = 0; i < kFrameHead; ++i) {
    if (i == bytes.size()) {
      return Fit::so_far;
    }
    if (kShape[i] >= 0 && byte_at(bytes, i) != static_cast<std::uint32_t>(kShape[i])) {
      return Fit::no;
    }
  }
  return frame_length(bytes) % 6 == 0 ? Fit::whole : Fit::no;
}

}  // namespace

StartLine StartLineScanner::add(std::string_view bytes, std::uint64_t now_ns) {
  if (bytes_.empty()) {
    first_ns_ = now_ns;
  }
  bytes_.append(bytes);
  return look();
}

StartLine StartLineScanner::look() {
  const Fit response = fit_response(bytes_);
  if (response == Fit::whole) {
    return StartLine::response;
  }
  const Fit preface = fit_prefix(bytes_, kPreface);
  const Fit settings = fit_settings(bytes_);
  if (preface == Fit::whole || settings == Fit::whole) {
    return StartLine::http2;
  }
  const Fit method = fit_method(bytes_);
  if (method == Fit::whole) {
    const std::size_t end = bytes_.find('\n', scanned_);
    if (end != std::string::npos) {
      return ends_with_version(std::string_view(bytes_).substr(0, end)) ? StartLine::request : StartLine::none;
    }
    scanned_ = bytes_.size();
    return bytes_.size() > most_bytes_ ? StartLine::none : StartLine::unknown;
  }
  const bool possible =
      response == Fit::so_far || preface == Fit::so_far || settings == Fit::so_far || method == Fit::so_far;
  return possible ? StartLine::unknown : StartLine::none;
}

void StartLineScanner::clear() {
  bytes_ = {};
  scanned_ = 0;
}

std::string StartLineScanner::take() {
  std::string taken = std::move(bytes_);
  clear();
  return taken;
}

bool looks_like_http2_frames(std::string_view bytes) {
  // The flags that a frame of each type may carry (DATA, HEADERS, PRIORITY, … CONTINUATION).
  constexpr std::array<std::uint32_t, 10> kFlags = {0x09, 0x2d, 0, 0, 0x01, 0x0c, 0x01, 0, 0, 0x04};
  std::size_t frames = 0;
  while (bytes.size() >= kFrameHead) {
    const std::size_t length = frame_length(bytes);
    const std::uint32_t type = byte_at(bytes, 3);
    if (length > kLargestFrame || type >= kFlags.size() || (byte_at(bytes, 4) & ~kFlags[type]) != 0 ||
        (byte_at(bytes, 5) & 0x80) != 0) {
      return false;
    }
    if (bytes.size() < kFrameHead + length) {
      return frames >= 1;
    }
    bytes.remove_prefix(kFrameHead + length);
    ++frames;
  }
  return frames >= 1 && bytes.empty();
}

}  // namespace oisp
