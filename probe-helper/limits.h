// Every limit of the probe-helper, with its reason.
#pragma once

#include <cstddef>
#include <cstdint>

namespace oisp {

// One span: large enough that a burst costs few system calls, small enough that a collector which
// stops reading is noticed within one.
inline constexpr std::size_t kMostSpanBytes = 256 * 1024;

// Bytes of plaintext of one call that are captured (probe.capnp says it to the collector): a body of
// 1 MiB, and the head that many clients send with it in one call.
inline constexpr std::uint32_t kMaxCapture = (1 << 20) + (64 << 10);

// Elf-scanners at work at once: the machine is somebody else's.
inline constexpr std::ptrdiff_t kMostScans = 4;

// Files on their way from the kernel's ring to a probe; more stay in the ring. The descriptors of
// all of them are open here, so RLIMIT_NOFILE follows from it.
inline constexpr std::size_t kMostFilesAtOnce = 64;

// A scanner that takes longer is given up: its own limits should have ended it before.
inline constexpr std::int64_t kScanDeadline_ns = 10'000'000'000;

// Credit beyond this means nothing more: the ring is smaller.
inline constexpr std::uint64_t kMostCredit = 1 << 30;

// A drained ring is looked at again after this time, then after twice that, and so on; after so many
// empty looks the helper sleeps until the kernel wakes it. A wake-up costs the watched program some
// 20 us, and a nap costs the helper as much: so the naps are few, and the first ones short, because
// what follows a record mostly follows soon.
inline constexpr long kFirstNap_ns = 300'000;
inline constexpr int kEmptyNaps = 3;
// Sleeping has an end only so that deadlines are looked at: a producer's exchange of the sleeping flag
// and the helper's last look at the rings cannot both miss the other.
inline constexpr long kSleep_ns = 500'000'000;
// How often the files' ring is looked at while the collector takes nothing.
inline constexpr long kBlocked_ns = 5'000'000;

// What the canary child may take before it counts as stuck.
inline constexpr int kCanaryPatience_ms = 2000;

}  // namespace oisp
