// What an exporter says (ipc-schema/export.capnp, FromExporter), decoded into plain checked structs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <variant>

#include "base/result.h"

namespace oisp {

struct ExporterHello {
  std::uint64_t kept = 0;
  bool has_kept = false;
};
struct ExporterAcknowledge {
  std::uint64_t sequence = 0;
};
struct ExporterFailed {
  std::uint64_t acknowledged = 0;
  std::string reason;
  std::int32_t error = 0;
};

using ExporterMessage = std::variant<ExporterHello, ExporterAcknowledge, ExporterFailed>;

enum class ExporterMessageError { malformed };

// `frame` is one whole frame, 8-byte aligned (FrameBuffer).
Result<ExporterMessage, ExporterMessageError> decode_exporter_message(std::span<const std::byte> frame);

}  // namespace oisp
