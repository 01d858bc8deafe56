// Every bound of the launcher, with its reason.
#pragma once

#include <cstddef>
#include <cstdint>

namespace oisp::limits {

// What one command line may say before `begin`. An argv is cut by the command line to fit.
inline constexpr std::size_t kMostConfigs = 512;
inline constexpr std::size_t kMostWatches = 64;
inline constexpr std::size_t kMostFiles = 64;
inline constexpr std::size_t kMostOutputs = 2;  // a file and a view
// Descriptors held for the helper: maps, programs, and one link for each probed file.
inline constexpr std::size_t kMostKept = 4096;
inline constexpr std::uint64_t kWantedFiles = 16384;
// Orders that wait for a role to read them: all that is kept, and what is said at a start, at some
// 4.5 KiB of the kernel's memory each.
inline constexpr int kOrderBufferBytes = 24 << 20;
// Sentences of roles that the command line shows.
inline constexpr unsigned kMostNotices = 100;

// Scanners at once (they share the role numbers from kFirstScanner up to 15), and waiting.
inline constexpr unsigned kFirstScanner = 8;
inline constexpr unsigned kMostScanners = 8;
inline constexpr std::size_t kMostWantedScanners = 1024;
inline constexpr std::int64_t kScannerMs = 10'000;

// A process is stopped for its first probes for no longer than the two together. The map has room for
// so many.
inline constexpr std::int64_t kHeldMs = 150;
inline constexpr std::int64_t kHeldLookMs = 50;
inline constexpr std::size_t kMostHeld = 1024;

// The first restart is at once (records wait in the ring), then 100 ms, doubling.
inline constexpr std::int64_t kFirstBackoffMs = 100;
inline constexpr unsigned kMostDeaths = 5;
inline constexpr std::int64_t kDeathsWithinMs = 60'000;

// Loading, the canary and the first probes; several seconds on a slow or loaded machine.
inline constexpr std::int64_t kStartMs = 60'000;
// After the end of CMD, for draining, last events and a slow disk.
inline constexpr std::int64_t kFinishMs = 30'000;
// After `done`, for exporters to write their last lines, and for the others to see the end of file.
inline constexpr std::int64_t kLeaveMs = 3'000;

// The helper's spans are at most 256 KiB each; two of them in flight keep both sides busy.
inline constexpr int kStreamBufferBytes = 512 << 10;

// uid = base + launcher's pid * roles + number: unused by people and by systemd's dynamic users.
inline constexpr std::uint32_t kFirstUid = 0x70000000;
inline constexpr std::uint32_t kUidsPerLauncher = 16;

}  // namespace oisp::limits
