// Every bound of the launcher, with its reason.
#pragma once

#include <cstddef>
#include <cstdint>

namespace oisp::limits {

// Descriptors held for the helper besides the parts: a few links for each probed file.
inline constexpr std::size_t kMostLinks = 4096;
inline constexpr std::uint64_t kWantedFiles = 16384;
// Read from one role before all others are looked at: more than a socket holds, and a matter of
// milliseconds, so that who sends without end keeps nobody stopped.
inline constexpr unsigned kMostOrdersAtOnce = 1024;

// A process is stopped for its first probes for no longer than the two together.
inline constexpr std::int64_t kHeldMs = 150;
inline constexpr std::int64_t kHeldLookMs = 50;

// uid = base + launcher's pid * roles + number: unused by people and by systemd's dynamic users.
inline constexpr std::uint32_t kFirstUid = 0x70000000;

}  // namespace oisp::limits
