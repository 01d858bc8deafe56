// docs/events.md
#include <capnp/message.h>
#include <simdjson.h>

#include "base/bug.h"
#include "ipc-schema/event-docs.h"
#include "ipc-schema/event-json.h"
#include "ipc-schema/event-table.h"
#include "ipc-schema/example-events.h"

namespace oisp {
namespace {

constexpr const char* kBeginning =
    R"(<!-- Made from ipc-schema/event.capnp by event-docs. To renew it: build/ipc-schema/event-docs docs -->
# Event reference

Every line of an event file is one JSON object: the envelope of the Open Inference Standard Protocol (OISP) with
what the sensor adds, and `data`, which depends on `event_type`. The same as a JSON Schema:
[oisp-sensor-event.schema.json](oisp-sensor-event.schema.json).

* Absent is absent: there is no `null`, no empty list and no empty object. A field that is not there was not sent, or
  not seen. Fields marked *always* are in every event of their kind.
* Keys stand in the order of this page.
* *as sent* means: the JSON that the provider or the program sent, with no number rounded and no word altered.
* Times are RFC 3339 in UTC, with nanoseconds where there are any.
* Secrets that were recognised are markers, wherever they stood; `ext.oisp_sensor.secrets` counts them.
* The same event always has the same `event_id`: whoever receives one twice can tell.
)";

// Value with line breaks and two spaces for each level. `json` is a line of ours.
std::string indented(std::string_view json) {
  std::string out;
  std::size_t level = 0;
  bool in_string = false;
  const auto line_break = [&] { out += '\n' + std::string(level * 2, ' '); };
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_string) {
      out += c;
      if (c == '\\') out += json[++i];
      in_string = c != '"';
    } else if (c == '{' || c == '[') {
      out += c;
      ++level;
      line_break();
    } else if (c == '}' || c == ']') {
      --level;
      line_break();
      out += c;
    } else if (c == ',') {
      out += c;
      line_break();
    } else {
      out += c;
      if (c == ':') out += ' ';
      in_string = c == '"';
    }
  }
  return out;
}

std::string example_line(std::size_t index) {
  capnp::MallocMessageBuilder message;
  const auto event = message.initRoot<schema::Event>();
  build_example_event(index, event);
  return render_event_json(event);
}

std::string example_data(std::size_t index) {
  const simdjson::padded_string line(example_line(index));
  simdjson::ondemand::parser parser;
  simdjson::ondemand::document document;
  simdjson::ondemand::object data;
  std::string_view raw;
  OISP_BUG_IF(parser.iterate(line).get(document) != simdjson::SUCCESS);
  OISP_BUG_IF(document["data"].get_object().get(data) != simdjson::SUCCESS);
  OISP_BUG_IF(data.raw_json().get(raw) != simdjson::SUCCESS);
  return std::string(raw);
}

std::string block(const std::string& json) { return "```json\n" + indented(json) + "\n```\n"; }

std::string type_of(const FieldRule& field) {
  switch (field.form) {
    case FieldForm::text:
      return "string";
    case FieldForm::raw:
      return "as sent";
    case FieldForm::timestamp:
      return "time";
    case FieldForm::signed_number:
    case FieldForm::unsigned_number:
      return "integer";
    case FieldForm::word: {
      if (field.words[1] == "false") return "boolean";
      std::string words;
      for (std::size_t i = 1; i < field.words.size(); ++i) words += (i > 1 ? ", " : "") + field.words[i];
      return words;
    }
    case FieldForm::object:
      return "object";
    case FieldForm::texts:
      return "list of strings";
    case FieldForm::objects:
      return "list of objects";
  }
  return "";
}

void append_rows(std::string& out, const StructRule& rule, const std::string& path) {
  for (const FieldRule& field : rule.fields) {
    std::string meaning = field.doc.empty() && field.members != nullptr ? field.members->doc : field.doc;
    if (field.always) meaning = meaning.empty() ? "*always*" : "*always* " + meaning;
    out.append("| `").append(path).append(field.key).append("` | ").append(type_of(field)).append(" | ");
    out.append(meaning).append(" |\n");
    if (field.members == nullptr) continue;
    append_rows(out, *field.members, path + field.key + (field.form == FieldForm::objects ? "[]." : "."));
  }
}

std::string rows_of(const StructRule& rule) {
  std::string out = "| field | type | meaning |\n|---|---|---|\n";
  append_rows(out, rule, "");
  return out;
}

}  // namespace

std::string make_event_reference() {
  const EventTable& table = event_table();
  std::string out = kBeginning;
  out += "\n## Types\n\n| event_type | |\n|---|---|\n";
  for (const EventType& one : table.types) {
    if (one.members == nullptr) continue;
    std::string anchor;
    for (const char c : one.name) {
      if (c != '.') anchor += c;
    }
    out.append("| [`").append(one.name).append("`](#").append(anchor).append(") | ").append(one.members->doc);
    out += " |\n";
  }
  out += "\n## Envelope\n\n" + rows_of(*table.envelope);
  out += "\nA whole event:\n\n" + block(example_line(0));
  for (std::size_t i = 0; i < table.types.size(); ++i) {
    const EventType& one = table.types[i];
    if (one.members == nullptr) continue;
    out.append("\n## ").append(one.name).append("\n\n").append(one.members->doc).append("\n\n");
    out.append(rows_of(*one.members)).append("\n").append(block(example_data(i - 1)));
  }
  return out;
}

}  // namespace oisp
