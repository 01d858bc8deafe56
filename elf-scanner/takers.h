// Where a program takes what it was shown: the callers of a function that copies data out and leaves it in
// its place (SSL_peek's body) tell SSL_peek from an SSL_read that was inlined in them, by whether they then
// move the pointer that the copy came from. x86-64 only.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "elf-scanner/error-sites.h"
#include "elf-scanner/frame.h"

namespace oisp {

// Where the pointer to the data lies: *(*(session + first) + second).
struct DataPlace {
  std::uint16_t first = 0;
  std::uint16_t second = 0;
};

// The instruction at `address` runs once behind such a call, with the result still in its register, the
// session in `session`, and the pointer not yet moved.
struct Taker {
  std::uint64_t address = 0;
  std::uint8_t session = 0;
};

class Takers {
 public:
  Takers(const ElfImage& image, Decoder& decoder, Budget& budget, std::uint64_t function, DataPlace place);

  // Nothing: there are too many callers, or one takes the data in a way that cannot be probed.
  [[nodiscard]] std::optional<std::span<const Taker>> found() const {
    if (is_unknown_) return std::nullopt;
    return std::span(takers_).first(count_);
  }

 private:
  void look_behind(std::uint64_t call_end);

  const ElfImage& image_;
  Decoder& decoder_;
  Budget& budget_;
  DataPlace place_;
  std::array<Taker, kMostTakers> takers_{};
  std::size_t count_ = 0;
  std::size_t callers_ = 0;
  bool is_unknown_ = false;
};

}  // namespace oisp
