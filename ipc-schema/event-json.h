// An event as one line of OISP JSON, and back. Driven by the annotations of event.capnp (see the
// rules at its head): a new field needs no code here.
#pragma once

#include <event.capnp.h>

#include <string>
#include <string_view>

#include "base/result.h"

namespace oisp {

// One line, without its line feed. Text that is not UTF-8 gets U+FFFD for each byte that is not;
// control characters (C0, DEL and C1) are escaped, so that a line shown by `cat` drives no terminal.
// A reader of a malformed message throws kj::Exception at access, here as everywhere: see
// read_event in exporters/common/export-message.h.
std::string render_event_json(schema::Event::Reader event);
// The same, appended to `out`.
void append_event_json(std::string& out, schema::Event::Reader event);

// Decodes a line, which may be a stranger's. A key, event type or form that the schema does not know
// is a fault that names it; `event` is then in no state to be used.
Status parse_event_json(std::string_view line, schema::Event::Builder event);

}  // namespace oisp
