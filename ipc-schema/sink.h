// What a sink is, in the orders `output` and `sink`.
#pragma once

#include <cstdint>

namespace oisp {

enum class SinkKind : std::int32_t { jsonl = 1, terminal = 2 };
// Bits of Order::value of `output` and `sink`.
inline constexpr std::uint64_t kSinkIsFile = 1;  // regular file: resume after the last line in it
inline constexpr std::uint64_t kSinkHold = 2;    // show at the end (CMD has the terminal)
inline constexpr std::uint64_t kSinkColour = 4;
inline constexpr std::uint64_t kSinkAfterFile = 8;  // show an event only once the file has it

}  // namespace oisp
