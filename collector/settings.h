// What the supervisor's config orders say (one key, one value each).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace oisp {

struct Settings {
  std::string scope;
  std::vector<std::string> command;
  std::int64_t pid = -1;
  std::string content = "secrets masked";
  bool bodies = false;
  std::uint64_t max_body = 0;  // 0: the default
  unsigned restarted = 0;      // lives before this one

  // Takes one config order; keys that are for others are ignored.
  void take(std::string_view key, std::string_view value);
};

}  // namespace oisp
