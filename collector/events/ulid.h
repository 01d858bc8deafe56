// Event ids: ULIDs that rise throughout a run.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace oisp {

class UlidMaker {
 public:
  // `ms`: milliseconds since 1970 of what is named. One that lies before the last id's takes that one's.
  std::string make(std::uint64_t ms);

 private:
  void draw();

  std::uint64_t last_ms_ = 0;
  std::array<unsigned char, 10> random_{};
  // Drawn ahead: a system call for each id would cost more than all else that makes one.
  std::array<unsigned char, 640> pool_{};
  std::size_t pool_used_ = sizeof pool_;
};

}  // namespace oisp
