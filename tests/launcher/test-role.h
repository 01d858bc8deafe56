// What the launcher's test asks of the stand-ins: Order::detail of a `watch`.
#pragma once

namespace oisp {

// Of the helper's.
inline constexpr int kCrash = 100;      // always, once it is ready
inline constexpr int kCrashOnce = 101;  // not where it found what another kept
inline constexpr int kAskForMore = 102;
inline constexpr int kAskForScanner = 103;
inline constexpr int kHold = 104;       // lists the process that is watched as stopped, and forgets it
inline constexpr int kOverreach = 105;  // says what only the collector may
inline constexpr int kHoldAndCrash = 106;
inline constexpr int kHoldMany = 107;         // and says more than a command line that does not read takes
inline constexpr int kOverreachStore = 108;   // says what only the supervisor may
inline constexpr int kKeepAnotherForm = 109;  // what is no map for one that the launcher looks into

// Of the supervisor's: what it tells the launcher once it has started a collector.
inline constexpr int kStartItself = 200;
inline constexpr int kStartTwice = 201;
inline constexpr int kStartTwoHelpers = 202;
inline constexpr int kStartScanner = 203;
inline constexpr int kStartBeyond = 204;  // a number that is a scanner's
inline constexpr int kStartUnknown = 205;
inline constexpr int kStartWithoutOrders = 206;
inline constexpr int kKillBeyond = 207;
inline constexpr int kKeep = 208;
inline constexpr int kSayGarbage = 209;
inline constexpr int kHangUp = 210;
inline constexpr int kLastNonsense = kHangUp;

}  // namespace oisp
