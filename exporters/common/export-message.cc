#include "exporters/common/export-message.h"

#include <capnp/message.h>
#include <capnp/schema.h>
#include <capnp/serialize.h>
#include <export.capnp.h>
#include <kj/exception.h>

#include "exporters/common/limits.h"

namespace oisp {
namespace {

constexpr std::size_t kMostFrameWords = kMostExportFrameBytes / sizeof(capnp::word);

kj::ArrayPtr<const capnp::word> array_of(Words words) { return {words.data(), words.size()}; }

// What follows pointers of a stranger's message runs in here: Cap'n Proto throws at access.
template <typename Read>
Result<Done, ExportError> guarded(Words frame, Read read) {
  if (frame.empty()) return ExportError::malformed;
  bool well_formed = false;
  const auto thrown = kj::runCatchingExceptions([&] {
    capnp::ReaderOptions options;
    // Each word may be visited a few times (rendering asks first whether a field is there).
    options.traversalLimitInWords = frame.size() * 8 + 1024;
    options.nestingLimit = kMostExportNesting;
    capnp::FlatArrayMessageReader message(array_of(frame), options);
    well_formed = message.getEnd() <= frame.data() + frame.size() && read(message);
  });
  if (thrown != nullptr || !well_formed) return ExportError::malformed;
  return Done{};
}

std::string copy(capnp::Text::Reader text) { return {text.begin(), text.size()}; }

// False where the batch is not what export.capnp says.
bool copy_batch(schema::Batch::Reader from, ExportBatch& to) {
  to.first_sequence = from.getFirstSequence();
  to.acknowledge_now = from.getAcknowledgeNow();
  const auto events = from.getEvents();
  if (to.first_sequence + events.size() < to.first_sequence) return false;
  to.events.reserve(events.size());
  for (const capnp::Data::Reader event : events) {
    if (event.size() == 0 || event.size() % sizeof(capnp::word) != 0) return false;
    // A Data begins on a word of its message.
    to.events.emplace_back(reinterpret_cast<const capnp::word*>(event.begin()), event.size() / sizeof(capnp::word));
  }
  return true;
}

bool copy_message(schema::ToExporter::Reader from, ExportMessage& to) {
  switch (from.which()) {
    case schema::ToExporter::UNSET:
      return false;
    case schema::ToExporter::HELLO:
      to = ExportHello{.sink = copy(from.getHello().getSink()),
                       .sensor_version = copy(from.getHello().getSensorVersion())};
      return true;
    case schema::ToExporter::BATCH:
      return copy_batch(from.getBatch(), to.emplace<ExportBatch>());
    case schema::ToExporter::FINISH:
      to = ExportFinish{};
      return true;
  }
  return false;  // a member that this version does not know
}

}  // namespace

const char* describe(ExportError error) {
  switch (error) {
    case ExportError::too_large:
      return "a message above the limit";
    case ExportError::malformed:
      return "a malformed message";
  }
  return "";
}

Result<std::size_t, ExportError> expected_frame_words(Words words) {
  const std::size_t expected = capnp::expectedSizeInWordsFromPrefix(array_of(words));
  if (expected > kMostFrameWords) return ExportError::too_large;
  return expected;
}

Result<ExportMessage, ExportError> decode_export_message(Words frame) {
  ExportMessage message;
  const auto read = guarded(frame, [&](capnp::FlatArrayMessageReader& reader) {
    return copy_message(reader.getRoot<schema::ToExporter>(), message);
  });
  if (!read) return read.error();
  return message;
}

Result<Done, ExportError> read_event(Words event, const std::function<void(schema::Event::Reader)>& use) {
  return guarded(event, [&](capnp::FlatArrayMessageReader& reader) {
    const auto root = reader.getRoot<schema::Event>();
    // An event of no type, or of one that this version does not know, has no JSON form.
    const auto which = static_cast<unsigned>(root.getData().which());
    const unsigned known = capnp::Schema::from<schema::Event::Data>().asStruct().getUnionFields().size();
    if (which == schema::Event::Data::UNSET || which >= known) return false;
    use(root);
    return true;
  });
}

}  // namespace oisp
