// Every limit of the collector, with its reason. What a limit refuses or evicts is counted and named
// in sensor.loss or sensor.coverage.
#pragma once

#include <cstddef>
#include <cstdint>

namespace oisp::limits {

// A frame on the probe channel (ipc-schema/probe.capnp): 256 KiB of ring and its envelope.
inline constexpr std::size_t kMostProbeFrame = 256 * 1024 + 64;
// Two frames: one may be viewed while the next one arrives.
inline constexpr std::size_t kProbeBuffer = 2 * (kMostProbeFrame + 64);
// Bytes of ring that the helper may have on its way: half of a default ring, so that a burst moves
// into the socket while the kernel writes on.
inline constexpr std::uint64_t kInitialCredit = 4 * 1024 * 1024;
// Credit is granted in portions, to save messages.
inline constexpr std::uint64_t kCreditPortion = 256 * 1024;

// CPUs that a record may name: the kernel's own NR_CPUS is at most this.
inline constexpr std::uint32_t kMostCpus = 8192;

// Processes that are known at once. A watched tree of this size is a build of a large project.
inline constexpr std::size_t kMostProcesses = 16384;
// A process is kept this long after its exit, for what is still on its way about it.
inline constexpr std::uint64_t kKeepExitedNs = 10ULL * 1000 * 1000 * 1000;
inline constexpr std::size_t kMostConnections = 16384;
// TLS streams at once: of one process, and of all. Each holds its parsers' state.
inline constexpr std::size_t kMostStreamsPerProcess = 1024;
// On a socket without TLS, before the first request to a model: a client asks which models there are, a page lists
// them.
inline constexpr std::uint32_t kMostOtherExchanges = 16;
inline constexpr std::size_t kMostStreams = 8192;
// Bytes that all open streams may hold in bodies that are not complete yet.
inline constexpr std::size_t kMostHeldBytes = 256 * 1024 * 1024;
// Files that one process is known to have mapped (a browser maps some 300).
inline constexpr std::size_t kMostMappedFiles = 512;
// Files that are reported by name, and blind spots that are told apart.
inline constexpr std::size_t kMostFiles = 1024;
inline constexpr std::size_t kMostBlindSpots = 256;
// The probes of a file are kept this long after its last user was forgotten, and so many files are let
// go of at a time: taking probes away stops the launcher for a moment.
inline constexpr std::uint64_t kKeepUnusedNs = 20ULL * 1000 * 1000 * 1000;
inline constexpr std::uint64_t kLookUnusedNs = 5ULL * 1000 * 1000 * 1000;
inline constexpr std::size_t kMostReleases = 32;

// A file of which so many streams do not behave, and none did, is read no more.
inline constexpr unsigned kMostFailures = 3;
// Connections whose process has ended without closing them are told of soon after, by the kernel itself.
inline constexpr std::uint64_t kAwaitCloseNs = 2ULL * 1000 * 1000 * 1000;

// Finished events that wait for a sink, in bytes.
inline constexpr std::size_t kMostQueuedBytes = 64 * 1024 * 1024;
// A frame on the export channel (ipc-schema/export.capnp) is at most 16 MiB, envelope included.
inline constexpr std::size_t kMostEventBytes = 16 * 1024 * 1024 - 4096;
// Aims for one batch: few enough bytes that a sink's acknowledgement comes soon.
inline constexpr std::size_t kBatchBytes = 256 * 1024;
inline constexpr std::size_t kBatchEvents = 256;
// Batches to one sink that are not acknowledged yet, and their bytes.
inline constexpr std::size_t kWindowBatches = 16;
inline constexpr std::size_t kWindowBytes = 4 * 1024 * 1024;
// After `finish`: how long the helper may take to say that the ring is empty, and the sinks to
// acknowledge all. A new helper or exporter needs up to two seconds.
inline constexpr std::uint64_t kDrainPatienceMs = 10'000;
inline constexpr std::uint64_t kDeliveryPatienceMs = 30'000;
// Requests that wait for their answer and are remembered should this process die: as many as all their
// clients together hardly have open.
inline constexpr std::size_t kMostOpenRequests = 4096;

// What an exporter may say in one frame: an acknowledgement, or a reason.
inline constexpr std::size_t kMostExporterFrame = 16 * 1024;

}  // namespace oisp::limits
