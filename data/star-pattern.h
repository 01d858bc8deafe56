// How the catalogues write names of which a part is not fixed.
#pragma once

#include <cstddef>
#include <string_view>

namespace oisp {

// One star, if any, stands for one or more characters.
inline bool matches_pattern(std::string_view pattern, std::string_view name) {
  const std::size_t star = pattern.find('*');
  if (star == std::string_view::npos) return pattern == name;
  const std::string_view before = pattern.substr(0, star);
  const std::string_view after = pattern.substr(star + 1);
  return name.size() > before.size() + after.size() && name.starts_with(before) && name.ends_with(after);
}

}  // namespace oisp
