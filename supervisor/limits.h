// Every bound of the supervisor, with its reason.
#pragma once

#include <cstddef>
#include <cstdint>

namespace oisp::limits {

// What one command line may say before `begin`. An argv is cut by the command line to fit.
inline constexpr std::size_t kMostConfigs = 512;
inline constexpr std::size_t kMostWatches = 64;
inline constexpr std::size_t kMostFiles = 64;
inline constexpr std::size_t kMostOutputs = 2;  // a file and a view
// Orders that wait for a peer to read them: all that is said to a role at its start, and to a command line
// in a session.
inline constexpr std::size_t kMostQueued = 1024;
// Sentences of roles that the command line shows.
inline constexpr unsigned kMostNotices = 100;
// Read from one peer before all others are looked at.
inline constexpr unsigned kMostOrdersAtOnce = 1024;
// The descriptors of files, which each role that was not read yet has a copy of, and connections.
inline constexpr std::uint64_t kMostOpenFiles = 512;
inline constexpr std::uint64_t kMostMemoryBytes = 256 << 20;

// The first restart is at once (records wait in the ring), then 100 ms, doubling.
inline constexpr std::int64_t kFirstBackoffMs = 100;
inline constexpr unsigned kMostDeaths = 5;
inline constexpr std::int64_t kDeathsWithinMs = 60'000;

// Loading, the canary and the first probes; several seconds on a slow or loaded machine.
inline constexpr std::int64_t kStartMs = 60'000;
// After the end of CMD, for draining, last events and a slow disk.
inline constexpr std::int64_t kFinishMs = 30'000;
// After `done`, for exporters to write their last lines, and for the others to see the end of file; then
// again for a command line to read what it has not.
inline constexpr std::int64_t kLeaveMs = 3'000;

// The helper's spans are at most 256 KiB each; two of them in flight keep both sides busy.
inline constexpr int kStreamBufferBytes = 512 << 10;

}  // namespace oisp::limits
