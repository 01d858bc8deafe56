// A line of JSON from a file that anybody may have written.
#include <capnp/message.h>

#include <cstdint>
#include <cstdlib>

#include "ipc-schema/event-json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  capnp::MallocMessageBuilder message;
  const auto event = message.initRoot<oisp::schema::Event>();
  if (!oisp::parse_event_json({reinterpret_cast<const char*>(data), size}, event)) return 0;
  // What was read is written in a form that reads the same.
  const std::string line = oisp::render_event_json(event);
  capnp::MallocMessageBuilder again;
  const auto same = again.initRoot<oisp::schema::Event>();
  if (!oisp::parse_event_json(line, same) || oisp::render_event_json(same) != line) std::abort();
  return 0;
}
