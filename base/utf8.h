// Well-formed UTF-8, as RFC 3629 has it.
#pragma once

#include <cstddef>
#include <string_view>

namespace oisp {

// Length of the well-formed sequence at the start of `bytes` (not empty), 0 where there is none.
[[nodiscard]] inline std::size_t utf8_length(std::string_view bytes) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const unsigned char first = at(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || bytes.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((at(i) & 0xc0) != 0x80) return 0;
  }
  if ((first == 0xe0 && at(1) < 0xa0) || (first == 0xed && at(1) > 0x9f) || (first == 0xf0 && at(1) < 0x90) ||
      (first == 0xf4 && at(1) > 0x8f)) {
    return 0;
  }
  return length;
}

// The code point of a well-formed sequence of `length` bytes at the start of `bytes`.
[[nodiscard]] inline char32_t utf8_decode(std::string_view bytes, std::size_t length) {
  const auto at = [&](std::size_t i) { return static_cast<char32_t>(static_cast<unsigned char>(bytes[i])); };
  if (length == 1) return at(0);
  char32_t code = at(0) & (0xffu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) code = (code << 6) | (at(i) & 0x3f);
  return code;
}

}  // namespace oisp
