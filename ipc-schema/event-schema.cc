// docs/oisp-sensor-event.schema.json
#include "ipc-schema/event-docs.h"
#include "ipc-schema/event-table.h"
#include "ipc-schema/json-text.h"

namespace oisp {
namespace {

std::string quoted_text(const std::string& text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

std::string reference_to(const StructRule& rule) { return "\"$ref\": \"#/$defs/" + rule.name + "\""; }

// The members of a field's schema, without braces.
std::string form_of(const FieldRule& field) {
  switch (field.form) {
    case FieldForm::text:
      return R"("type": "string")";
    case FieldForm::raw:
      return "";  // anything
    case FieldForm::timestamp:
      return R"("type": "string", "format": "date-time")";
    case FieldForm::signed_number:
      return R"("type": "integer")";
    case FieldForm::unsigned_number:
      return R"("type": "integer", "minimum": 0)";
    case FieldForm::word: {
      std::string words;
      for (std::size_t i = 1; i < field.words.size(); ++i) words += (i > 1 ? ", " : "") + field.words[i];
      return "\"enum\": [" + words + "]";
    }
    case FieldForm::object:
      return reference_to(*field.members);
    case FieldForm::texts:
      return R"("type": "array", "minItems": 1, "items": {"type": "string"})";
    case FieldForm::objects:
      return R"("type": "array", "minItems": 1, "items": {)" + reference_to(*field.members) + "}";
  }
  return "";
}

std::string property(const FieldRule& field) {
  std::string members = form_of(field);
  if (!field.doc.empty()) members += (members.empty() ? "" : ", ") + ("\"description\": " + quoted_text(field.doc));
  return '"' + field.key + "\": {" + members + "}";
}

std::string definition(const StructRule& rule) {
  std::string out = "    \"" + rule.name + "\": {\n      \"type\": \"object\",\n";
  if (!rule.doc.empty()) out += "      \"description\": " + quoted_text(rule.doc) + ",\n";
  std::string required;
  std::string properties;
  for (const FieldRule& field : rule.fields) {
    if (field.always) required += (required.empty() ? "" : ", ") + ('"' + field.key + '"');
    properties += (properties.empty() ? "" : ",\n") + ("        " + property(field));
  }
  if (!required.empty()) out += "      \"required\": [" + required + "],\n";
  out += "      \"properties\": {\n" + properties + "\n      },\n      \"additionalProperties\": false\n    }";
  return out;
}

}  // namespace

std::string make_event_schema() {
  const EventTable& table = event_table();
  std::string out = R"({
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "oisp-sensor event",
  "description": "Made from ipc-schema/event.capnp by event-docs.",
  "type": "object",
  "required": ["oisp_version", "event_id", "event_type", "ts", "data"],
  "properties": {
)";
  std::string types;
  std::string cases;
  for (const EventType& one : table.types) {
    if (one.members == nullptr) continue;
    types += (types.empty() ? "" : ", ") + ('"' + one.name + '"');
    cases += (cases.empty() ? "" : ",\n") +
             ("    {\"if\": {\"properties\": {\"event_type\": {\"const\": \"" + one.name +
              "\"}}}, \"then\": {\"properties\": {\"data\": {" + reference_to(*one.members) + "}}}}");
  }
  for (const FieldRule& field : table.envelope->fields) {
    out += "    " + property(field) + ",\n";
    if (field.key == "event_id") out += "    \"event_type\": {\"enum\": [" + types + "]},\n";
  }
  out += "    \"data\": {\"type\": \"object\"}\n  },\n  \"additionalProperties\": false,\n";
  out += "  \"allOf\": [\n" + cases + "\n  ],\n  \"$defs\": {\n";
  std::string definitions;
  for (const auto& rule : table.structs) {
    if (rule.get() == table.envelope) continue;
    definitions += (definitions.empty() ? "" : ",\n") + definition(*rule);
  }
  return out + definitions + "\n  }\n}\n";
}

}  // namespace oisp
