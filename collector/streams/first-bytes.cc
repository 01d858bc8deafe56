#include "collector/streams/first-bytes.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace oisp {
namespace {

constexpr std::size_t kMost = 256;          // bytes that are looked at
constexpr std::size_t kLeastToCount = 64;   // from which on their distribution says something
constexpr std::size_t kFrameHead = 9;       // RFC 9113, 4.1
constexpr std::size_t kLongestMethod = 16;  // of those that are registered
constexpr std::size_t kMostRecord = 16384 + 2048;

std::uint8_t at(std::string_view bytes, std::size_t place) { return static_cast<std::uint8_t>(bytes[place]); }

bool is_tls_record(std::string_view bytes) {
  if (bytes.size() < 5 || at(bytes, 0) < 0x14 || at(bytes, 0) > 0x17 || at(bytes, 1) != 3 || at(bytes, 2) > 4) {
    return false;
  }
  const std::size_t length = std::size_t{at(bytes, 3)} << 8 | at(bytes, 4);
  return length > 0 && length <= kMostRecord;
}

// Also the preface of HTTP/2, which is made to look like one.
bool is_request(std::string_view bytes) {
  const std::size_t method = std::min(bytes.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ-"), bytes.size());
  return method >= 3 && method <= kLongestMethod && method < bytes.size() && bytes[method] == ' ';
}

bool is_response(std::string_view bytes) {
  if (bytes.starts_with("HTTP/1.")) return true;
  if (bytes.size() < kFrameHead || at(bytes, 3) != 4 || at(bytes, 4) > 1) return false;
  const std::size_t length = std::size_t{at(bytes, 0)} << 16 | std::size_t{at(bytes, 1)} << 8 | at(bytes, 2);
  return length <= 6 * 64 && length % 6 == 0 &&
         std::all_of(bytes.begin() + 5, bytes.begin() + kFrameHead, [](char byte) { return byte == 0; });
}

// Two bytes of random ones are the same in one of 256 cases; in text, code, addresses and lengths they are in many
// more.
bool is_random(std::string_view bytes) {
  if (bytes.size() < kLeastToCount) return false;
  std::array<std::size_t, 256> counts{};
  for (const char byte : bytes) ++counts[static_cast<std::uint8_t>(byte)];
  std::size_t pairs = 0;
  for (const std::size_t count : counts) pairs += count * (count - (count > 0 ? 1 : 0));
  return pairs * 256 < 2 * bytes.size() * (bytes.size() - 1);
}

}  // namespace

void FirstBytes::add(std::string_view bytes) {
  if (look_ != Look::open || bytes.empty()) return;
  bytes_.append(bytes.substr(0, kMost - bytes_.size()));
  if (is_tls_record(bytes_)) look_ = Look::tls_record;
  if (is_response(bytes_)) look_ = Look::response;
  if (is_request(bytes_)) look_ = Look::request;
  if (look_ == Look::open && bytes_.size() == kMost) look_ = is_random(bytes_) ? Look::random : Look::other;
  if (look_ != Look::open) bytes_ = {};
}

Look FirstBytes::look(bool over) const {
  if (look_ != Look::open || !over || bytes_.size() < kLeastToCount) return look_;
  return is_random(bytes_) ? Look::random : Look::other;
}

}  // namespace oisp
