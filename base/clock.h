// The kernel's clocks, in nanoseconds.
#pragma once

#include <cstdint>
#include <ctime>

namespace oisp {

inline std::int64_t read_clock_ns(clockid_t clock) {
  timespec now{};
  (void)::clock_gettime(clock, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// CLOCK_MONOTONIC in milliseconds.
inline std::int64_t now_ms() { return read_clock_ns(CLOCK_MONOTONIC) / 1'000'000; }

}  // namespace oisp
