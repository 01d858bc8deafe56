#include "collector/intake/probe-message.h"

#include <capnp/serialize.h>
#include <kj/exception.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "collector/limits.h"
#include "probe.capnp.h"

namespace oisp {
namespace {

std::string text_of(capnp::Text::Reader text) {
  return {text.begin(), std::min<std::size_t>(text.size(), limits::kMostReportText)};
}

HelperHello hello_of(schema::Hello::Reader from) {
  HelperHello hello{.boot_time_offset_ns = from.getBootTimeOffsetNs(),
                    .uprobes = text_of(from.getUprobes()),
                    .max_capture = from.getMaxCapture(),
                    .ring_bytes = from.getRingBytes(),
                    .adopted = from.getAdopted(),
                    .missing = {}};
  for (const auto word : from.getMissing()) hello.missing.push_back(text_of(word));
  return hello;
}

std::optional<FileOutcome> outcome_of(schema::FileReport::Outcome outcome) {
  switch (outcome) {
    case schema::FileReport::Outcome::PROBED:
      return FileOutcome::probed;
    case schema::FileReport::Outcome::NO_TLS_LIBRARY:
      return FileOutcome::no_tls_library;
    case schema::FileReport::Outcome::REFUSED:
      return FileOutcome::refused;
    case schema::FileReport::Outcome::OPEN_FAILED:
      return FileOutcome::open_failed;
    case schema::FileReport::Outcome::SCAN_FAILED:
      return FileOutcome::scan_failed;
    case schema::FileReport::Outcome::ATTACH_FAILED:
      return FileOutcome::attach_failed;
    case schema::FileReport::Outcome::TABLE_FULL:
      return FileOutcome::table_full;
  }
  return {};
}

Result<ProbeMessage, ProbeMessageError> report_of(schema::FileReport::Reader from) {
  const auto outcome = outcome_of(from.getOutcome());
  if (!outcome) return ProbeMessageError::unknown_kind;
  return ProbeMessage{FileReport{.key = {.device = from.getDevice(), .inode = from.getInode()},
                                 .file = from.getFile(),
                                 .outcome = *outcome,
                                 .error = from.getError(),
                                 .family = text_of(from.getFamily()),
                                 .reason = text_of(from.getReason()),
                                 .sites = from.getSites(),
                                 .name = text_of(from.getName())}};
}

Result<ProbeMessage, ProbeMessageError> counters_of(capnp::List<std::uint64_t>::Reader values) {
  HelperCounters counters;
  std::array<std::uint64_t, sizeof(oisp_counters) / sizeof(std::uint64_t)> sums{};
  if (values.size() != sums.size()) return ProbeMessageError::malformed;
  std::copy(values.begin(), values.end(), sums.begin());
  std::memcpy(&counters.sums, sums.data(), sizeof counters.sums);
  return ProbeMessage{counters};
}

Result<ProbeMessage, ProbeMessageError> message_of(schema::FromHelper::Reader from) {
  switch (from.which()) {
    case schema::FromHelper::UNSET:
      return ProbeMessageError::malformed;
    case schema::FromHelper::HELLO:
      return ProbeMessage{hello_of(from.getHello())};
    case schema::FromHelper::RECORDS: {
      const auto records = from.getRecords();
      const capnp::Data::Reader span = records.getSpan();
      return ProbeMessage{RecordSpan{.position = records.getPosition(),
                                     .bytes = {reinterpret_cast<const std::byte*>(span.begin()), span.size()}}};
    }
    case schema::FromHelper::FILE:
      return report_of(from.getFile());
    case schema::FromHelper::COUNTERS:
      return counters_of(from.getCounters().getValues());
    case schema::FromHelper::DRAINED:
      return ProbeMessage{HelperDrained{}};
  }
  return ProbeMessageError::unknown_kind;
}

}  // namespace

Result<ProbeMessage, ProbeMessageError> decode_probe_message(std::span<const std::byte> frame) {
  // A message is read once, so its own size bounds the traversal; structs nest three deep.
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
