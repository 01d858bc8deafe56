// What is not there, and why: the words that events carry in `incomplete`.
#pragma once

#include <cstdint>
#include <string_view>

namespace oisp {

enum class Missing : std::uint8_t {
  joined_late,           // the stream ran before it was watched
  stream_ended,          // it ended in the middle of a message
  cut,                   // one TLS call carried more than max_capture
  lost,                  // records were dropped on the way
  body_too_large,        // more than is kept
  answered_early,        // the answer began before the request was whole
  malformed,             // not HTTP, or not JSON, from some point on
  encoding_not_decoded,  // a content coding that this program does not know
  encoding_broken,       // compressed data that is damaged or unfinished
  over_limit,            // a head, or a number of open requests, beyond what is kept
  unseen_call,           // it passed in a call that is not looked into (sendfile, splice, io_uring)
};
inline constexpr unsigned kMissingCount = 11;

std::string_view missing_word(Missing missing);

// A set of reasons.
class MissingSet {
 public:
  void add(Missing missing) { bits_ |= bit(missing); }
  void add(MissingSet other) { bits_ |= other.bits_; }
  void remove(Missing missing) { bits_ &= ~bit(missing); }
  [[nodiscard]] bool has(Missing missing) const { return (bits_ & bit(missing)) != 0; }
  [[nodiscard]] bool empty() const { return bits_ == 0; }
  [[nodiscard]] unsigned size() const { return static_cast<unsigned>(__builtin_popcount(bits_)); }
  // Calls `visit` with each reason's word, in the order of the enumeration.
  template <typename Visit>
  void each_word(Visit&& visit) const {
    for (unsigned i = 0; i < kMissingCount; ++i) {
      if ((bits_ >> i & 1u) != 0) {
        visit(missing_word(static_cast<Missing>(i)));
      }
    }
  }
  friend bool operator==(MissingSet, MissingSet) = default;

 private:
  static constexpr std::uint32_t bit(Missing missing) { return 1u << static_cast<unsigned>(missing); }
  std::uint32_t bits_ = 0;
};

}  // namespace oisp
