// Event ids: ULIDs that rise throughout a run.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace oisp {

class UlidMaker {
 public:
  // `ms`: milliseconds since 1970 of what is named. One that lies before the last id's takes that one's.
  std::string make(std::uint64_t ms);

 private:
  std::uint64_t last_ms_ = 0;
  std::array<unsigned char, 10> random_{};
};

}  // namespace oisp
