#include "collector/intake/probe-message.h"

#include <capnp/serialize.h>
#include <kj/exception.h>

#include <cstring>

#include "base/text-array.h"
#include "collector/limits.h"
#include "probe.capnp.h"

namespace oisp {
namespace {

static_assert(OISP_FILE_TABLE_FULL == static_cast<int>(FileOutcome::table_full));

using Decoded = Result<ProbeMessage, ProbeMessageError>;

// One of the helper's structs, copied: nothing says that it is aligned.
template <typename T>
bool read(capnp::Data::Reader data, T& into) {
  if (data.size() != sizeof into) return false;
  std::memcpy(&into, data.begin(), sizeof into);
  return true;
}

Decoded hello_of(capnp::Data::Reader data) {
  constexpr const char* kHooks[] = OISP_HOOKS;
  oisp_hello said{};
  if (!read(data, said)) return ProbeMessageError::malformed;
  HelperHello hello{.boot_time_offset_ns = said.boot_time_offset_ns,
                    .uprobes = said.uprobe_multi != 0 ? "uprobe_multi" : "perf",
                    .max_capture = said.max_capture,
                    .ring_bytes = said.ring_bytes,
                    .adopted = said.adopted != 0,
                    .missing = {}};
  for (std::size_t i = 0; i < std::size(kHooks); ++i) {
    if ((said.missing_hooks & 1u << i) != 0) hello.missing.emplace_back(kHooks[i]);
  }
  return ProbeMessage{std::move(hello)};
}

Decoded report_of(capnp::Data::Reader data) {
  oisp_file_report said{};
  if (!read(data, said)) return ProbeMessageError::malformed;
  if (said.outcome > OISP_FILE_TABLE_FULL) return ProbeMessageError::unknown_kind;
  return ProbeMessage{FileReport{.key = said.key,
                                 .file = said.file,
                                 .outcome = static_cast<FileOutcome>(said.outcome),
                                 .error = said.error,
                                 .family = std::string(view_text(said.family)),
                                 .reason = std::string(view_text(said.reason)),
                                 .sites = said.sites,
                                 .name = std::string(view_text(said.name))}};
}

Decoded counters_of(capnp::Data::Reader data) {
  HelperCounters counters;
  if (!read(data, counters.sums)) return ProbeMessageError::malformed;
  return ProbeMessage{counters};
}

Decoded message_of(schema::FromHelper::Reader from) {
  switch (from.which()) {
    case schema::FromHelper::UNSET:
      return ProbeMessageError::malformed;
    case schema::FromHelper::HELLO:
      return hello_of(from.getHello());
    case schema::FromHelper::RECORDS: {
      const auto records = from.getRecords();
      const capnp::Data::Reader span = records.getSpan();
      return ProbeMessage{RecordSpan{.position = records.getPosition(),
                                     .bytes = {reinterpret_cast<const std::byte*>(span.begin()), span.size()}}};
    }
    case schema::FromHelper::FILE:
      return report_of(from.getFile());
    case schema::FromHelper::COUNTERS:
      return counters_of(from.getCounters());
    case schema::FromHelper::DRAINED:
      return ProbeMessage{HelperDrained{}};
  }
  return ProbeMessageError::unknown_kind;
}

}  // namespace

Result<ProbeMessage, ProbeMessageError> decode_probe_message(std::span<const std::byte> frame) {
  // A message is read once, so its own size bounds the traversal; there is one struct.
  const capnp::ReaderOptions options{.traversalLimitInWords = limits::kMostProbeFrame / 8 + 1024, .nestingLimit = 8};
  try {
    capnp::FlatArrayMessageReader reader(
        kj::arrayPtr(reinterpret_cast<const capnp::word*>(frame.data()), frame.size() / sizeof(capnp::word)), options);
    return message_of(reader.getRoot<schema::FromHelper>());
  } catch (const kj::Exception&) {
    return ProbeMessageError::malformed;
  }
}

}  // namespace oisp
