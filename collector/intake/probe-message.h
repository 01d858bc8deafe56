// What the helper says (ipc-schema/probe.capnp, FromHelper), decoded into plain checked structs.
// The helper is trusted with the kernel, not with this process's memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "bpf/records.h"

namespace oisp {

struct HelperHello {
  std::int64_t boot_time_offset_ns = 0;  // CLOCK_REALTIME - CLOCK_BOOTTIME
  std::string uprobes;                   // "uprobe_multi" or "perf"
  std::uint64_t max_capture = 0;         // bytes a call
  std::uint64_t ring_bytes = 0;
  bool adopted = false;              // it took over the probes of one that died
  std::vector<std::string> missing;  // hooks that this kernel lacks, each a word
};

// A span of the ring, viewed in the frame.
struct RecordSpan {
  std::uint64_t position = 0;
  std::span<const std::byte> bytes;
};

// OISP_FILE_*.
enum class FileOutcome { probed, no_tls_library, refused, open_failed, scan_failed, attach_failed, table_full };

struct FileReport {
  oisp_file_key key{};
  std::uint32_t file = 0;
  FileOutcome outcome = FileOutcome::no_tls_library;
  std::int32_t error = 0;
  std::string family;
  std::string reason;
  std::uint32_t sites = 0;
  std::string name;
};

struct HelperCounters {
  oisp_counters sums{};
};

struct HelperDrained {};

using ProbeMessage = std::variant<HelperHello, RecordSpan, FileReport, HelperCounters, HelperDrained>;

enum class ProbeMessageError { malformed, unknown_kind };

// `frame` is one whole frame, 8-byte aligned (FrameBuffer).
Result<ProbeMessage, ProbeMessageError> decode_probe_message(std::span<const std::byte> frame);

}  // namespace oisp
