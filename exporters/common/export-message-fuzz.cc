// What a collector that was taken over may send: frames, and events in them.
#include <capnp/common.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "exporters/common/export-message.h"
#include "ipc-schema/event-json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<std::uint64_t> frame(size / sizeof(capnp::word));
  if (!frame.empty()) std::memcpy(frame.data(), data, frame.size() * sizeof(capnp::word));
  const oisp::Words words(reinterpret_cast<const capnp::word*>(frame.data()), frame.size());
  (void)oisp::expected_frame_words(words);
  const auto render = [](oisp::schema::Event::Reader event) { (void)oisp::render_event_json(event); };
  const auto message = oisp::decode_export_message(words);
  if (message.ok()) {
    if (const auto* batch = std::get_if<oisp::ExportBatch>(&message.value())) {
      for (const oisp::Words event : batch->events) (void)oisp::read_event(event, render);
    }
  }
  (void)oisp::read_event(words, render);  // the same bytes as an event
  return 0;
}
