// Exit statuses of oisp-sensor; with a CMD, its own are passed on (126 and 127 as shells have them).
#pragma once

#include <cstdio>
#include <string>

namespace oisp {

inline constexpr int kOk = 0;
inline constexpr int kFailure = 1;
inline constexpr int kUsage = 2;
inline constexpr int kNoPermission = 3;
inline constexpr int kUnsupported = 4;
inline constexpr int kNotExecutable = 126;
inline constexpr int kNotFound = 127;
inline constexpr int kSignalled = 128;

// What the user reads when something does not work, and the status to end with.
struct Refusal {
  int exit_status = kFailure;
  std::string sentence;
};

inline void tell_user(const std::string& sentence) { std::fprintf(stderr, "oisp-sensor: %s\n", sentence.c_str()); }

}  // namespace oisp
