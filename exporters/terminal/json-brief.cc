#include "exporters/terminal/json-brief.h"

#include <simdjson.h>

#include "ipc-schema/json-text.h"

namespace oisp {
namespace {

// `value` is JSON: white space means something only within strings.
std::string compact(std::string_view value, std::size_t most_bytes) {
  std::string out;
  bool in_string = false;
  for (std::size_t i = 0; i < value.size() && out.size() < most_bytes; ++i) {
    const char c = value[i];
    if (in_string) {
      out += c;
      if (c == '\\' && i + 1 < value.size()) out += value[++i];
      in_string = c != '"';
    } else if (c != ' ' && c != '\n' && c != '\r' && c != '\t') {
      out += c;
      in_string = c == '"';
    }
  }
  return out;
}

}  // namespace

std::string brief_json(std::string_view value, std::size_t most_bytes) {
  if (!is_json_value(value)) return std::string(value.substr(0, most_bytes));
  if (value.find_first_not_of(" \t\r\n") != value.find('"')) return compact(value, most_bytes);
  simdjson::dom::parser parser;
  std::string_view text;
  if (parser.parse(value.data(), value.size()).get_string().get(text) != simdjson::SUCCESS)
    return compact(value, most_bytes);
  return is_json_value(text) && !text.empty() && (text.front() == '{' || text.front() == '[')
             ? compact(text, most_bytes)
             : std::string(text.substr(0, most_bytes));
}

}  // namespace oisp
