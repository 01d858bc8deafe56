// The helper's side of the probe channel (probe.capnp): what it says, encoded, and the one function
// that decodes what the collector says. The spans of records are not here: the helper sends those
// without a copy.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bpf/shared-maps.h"

namespace oisp {

using Frame = std::vector<std::byte>;

struct HelperHello {
  std::int64_t boot_time_offset_ns = 0;
  std::string_view uprobes;
  std::uint64_t max_capture = 0;
  std::uint64_t ring_bytes = 0;
  bool adopted = false;
  std::vector<std::string> missing;
};

// Numbered as in the schema.
enum class FileOutcome : std::uint32_t {
  probed = 0,
  no_tls_library = 1,
  refused = 2,
  open_failed = 3,
  scan_failed = 4,
  attach_failed = 5,
  table_full = 6,
};

// Each gives one whole stream frame.
Frame encode_hello(const HelperHello& hello);
// `number`: of the file that carries the probes, or 0.
Frame encode_file_report(const oisp_file_entry& file, std::uint32_t number);
Frame encode_counters(std::span<const std::uint64_t> values);
Frame encode_drained();

// What the collector may ask for.
struct CollectorRequest {
  enum class Kind { credit, ignore_stream, ask_counters, release_file };
  Kind kind = Kind::credit;
  std::uint64_t credit_bytes = 0;
  std::uint32_t tgid = 0;
  std::uint64_t session = 0;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
};

struct DecodedRequest {
  CollectorRequest request;
  std::size_t frame_bytes = 0;  // how much of the input it was
};

enum class DecodeError { malformed };

// A frame from the collector is never larger than this.
inline constexpr std::size_t kMostRequestBytes = 256;

// Decodes the first frame in `bytes`, a stranger's: nothing where it is not whole yet. No exception
// leaves it.
Result<std::optional<DecodedRequest>, DecodeError> decode_request(std::span<const std::byte> bytes);

}  // namespace oisp
