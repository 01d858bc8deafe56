// The bounds of every exporter, with their reasons.
#pragma once

#include <cstddef>
#include <cstdint>

namespace oisp {

// A batch of one event of the largest kept body (8 MiB) fits; export.capnp promises no more.
inline constexpr std::size_t kMostExportFrameBytes = std::size_t{16} << 20;
// The event model is 7 structs deep, and a batch adds two.
inline constexpr int kMostExportNesting = 16;
// A buffer that grew for a large frame is given back when it holds more than this for nothing.
inline constexpr std::size_t kKeptBufferBytes = std::size_t{1} << 20;
// Batches that came together are written together, unless they are larger.
inline constexpr std::size_t kWrittenTogetherBytes = std::size_t{256} << 10;
// How long an acknowledgement that nobody waits for may wait for others: each wakes the collector.
inline constexpr std::int64_t kAcknowledgeDelayNs = 50'000'000;
// Freed memory that is kept for the next large event: the frame and the line of one of 1 MiB, as they grow.
inline constexpr int kKeptFreedBytes = 8 << 20;
// Lines kept for the end while CMD has the terminal; beyond it they are written at once.
inline constexpr std::size_t kMostHeldBytes = std::size_t{64} << 20;
// Config orders that an exporter remembers: keys, and elements of the command shown in the view.
inline constexpr std::size_t kMostConfigEntries = 256;
// A write to a pipe or terminal, so that it cannot block once poll() has said it is writable.
inline constexpr std::size_t kMostStreamWriteBytes = 4096;  // PIPE_BUF
// Address space: frame, decoded copy and rendered line of the largest event, several times over.
inline constexpr std::uint64_t kMostExporterMemoryBytes = std::uint64_t{1} << 30;

}  // namespace oisp
