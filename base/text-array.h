// Text in an array of a plain struct: NUL-terminated, or the whole array.
#pragma once

#include <algorithm>
#include <cstring>
#include <string_view>

namespace oisp {

// Cuts what does not fit with a NUL behind it.
template <std::size_t kSize>
void fill_text(char (&array)[kSize], std::string_view text) {
  std::fill(std::begin(array), std::end(array), '\0');
  std::copy_n(text.begin(), std::min(text.size(), kSize - 1), array);
}

template <std::size_t kSize>
std::string_view view_text(const char (&array)[kSize]) {
  return {array, ::strnlen(array, kSize)};
}

}  // namespace oisp
