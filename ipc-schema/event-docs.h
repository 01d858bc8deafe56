// The event reference and the JSON Schema, made from the same table as the events themselves.
#pragma once

#include <string>

namespace oisp {

std::string make_event_reference();  // Markdown
std::string make_event_schema();     // JSON Schema 2020-12

}  // namespace oisp
