// What the launcher's test asks of the helper's stand-in: Order::detail of a `watch`.
#pragma once

namespace oisp {

inline constexpr int kCrash = 100;      // always, once it is ready
inline constexpr int kCrashOnce = 101;  // not where it adopted something
inline constexpr int kAskForMore = 102;
inline constexpr int kAskForScanner = 103;
inline constexpr int kHold = 104;       // lists the process that is watched as stopped, and forgets it
inline constexpr int kOverreach = 105;  // says what only the collector may
inline constexpr int kHoldAndCrash = 106;

}  // namespace oisp
