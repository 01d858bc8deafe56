// The one decoder of what the collector sends to an exporter (ipc-schema/export.capnp).
#pragma once

#include <capnp/common.h>
#include <event.capnp.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"

namespace oisp {

using Words = std::span<const capnp::word>;

struct ExportHello {
  std::string sink;
  std::string sensor_version;
};

struct ExportBatch {
  std::uint64_t first_sequence = 0;
  std::vector<Words> events;  // in the frame: for read_event, while the frame lives
  bool acknowledge_now = false;
};

struct ExportFinish {};

using ExportMessage = std::variant<ExportHello, ExportBatch, ExportFinish>;

enum class ExportError { too_large, malformed };

[[nodiscard]] const char* describe(ExportError error);

// Words of the frame that begins with `words`, as far as they tell: at least what is needed to tell
// more. Never above kMostExportFrameBytes.
Result<std::size_t, ExportError> expected_frame_words(Words words);

// Decodes a whole frame. Events are not looked into.
Result<ExportMessage, ExportError> decode_export_message(Words frame);

// Decodes one event of a batch and hands it to `use`, which must not keep the reader. An event whose
// pointers are broken is malformed as soon as `use` follows them: what it has done until then stands.
Result<Done, ExportError> read_event(Words event, const std::function<void(schema::Event::Reader)>& use);

}  // namespace oisp
