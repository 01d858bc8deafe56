#include "collector/fanout/exporter-message.h"

#include <capnp/serialize.h>
#include <kj/exception.h>

#include <algorithm>

#include "collector/limits.h"
#include "export.capnp.h"

namespace oisp {
namespace {

constexpr std::size_t kMostReason = 512;

Result<ExporterMessage, ExporterMessageError> message_of(schema::FromExporter::Reader from) {
  switch (from.which()) {
    case schema::FromExporter::UNSET:
      return ExporterMessageError::malformed;
    case schema::FromExporter::HELLO:
      return ExporterMessage{
          ExporterHello{.kept = from.getHello().getKept(), .has_kept = from.getHello().getHasKept()}};
    case schema::FromExporter::ACKNOWLEDGE:
      return ExporterMessage{ExporterAcknowledge{.sequence = from.getAcknowledge()}};
    case schema::FromExporter::FAILED: {
      const auto failed = from.getFailed();
      const auto reason = failed.getReason();
      return ExporterMessage{
          ExporterFailed{.acknowledged = failed.getAcknowledged(),
                         .reason = {reason.begin(), std::min<std::size_t>(reason.size(), kMostReason)},
                         .error = failed.getError()}};
    }
  }
  return ExporterMessageError::malformed;
}

}  // namespace

Result<ExporterMessage, ExporterMessageError> decode_exporter_message(std::span<const std::byte> frame) {
  const capnp::ReaderOptions options{.traversalLimitInWords = limits::kMostExporterFrame / 8 + 64, .nestingLimit = 4};
  try {
    capnp::FlatArrayMessageReader reader(
        kj::arrayPtr(reinterpret_cast<const capnp::word*>(frame.data()), frame.size() / sizeof(capnp::word)), options);
    return message_of(reader.getRoot<schema::FromExporter>());
  } catch (const kj::Exception&) {
    return ExporterMessageError::malformed;
  }
}

}  // namespace oisp
