// The rendering half of event-json.h.
#include <capnp/dynamic.h>

#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>

#include "ipc-schema/event-json.h"
#include "ipc-schema/event-table.h"
#include "ipc-schema/json-text.h"

namespace oisp {
namespace {

std::string_view view_of(capnp::Text::Reader text) { return {text.begin(), text.size()}; }

template <typename Number>
void append_number(std::string& out, Number number) {
  std::array<char, 24> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

// RFC 3339 in UTC with as much of the fraction as there is, in steps of three digits.
void append_timestamp(std::string& out, std::uint64_t ns) {
  constexpr std::uint64_t kSecond = 1'000'000'000;
  const auto seconds = static_cast<std::int64_t>(ns / kSecond);
  const auto fraction = static_cast<unsigned>(ns % kSecond);
  const std::chrono::sys_seconds moment{std::chrono::seconds(seconds)};
  const auto midnight = std::chrono::floor<std::chrono::days>(moment);
  const std::chrono::year_month_day date(midnight);
  const std::chrono::hh_mm_ss time(moment - midnight);
  char text[40];
  (void)std::snprintf(text, sizeof text, "\"%04d-%02u-%02uT%02d:%02d:%02d", static_cast<int>(date.year()),
                      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                      static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                      static_cast<int>(time.seconds().count()));
  out += text;
  if (fraction != 0) {
    (void)std::snprintf(text, sizeof text, ".%09u", fraction);
    const int digits = fraction % 1'000'000 == 0 ? 3 : fraction % 1000 == 0 ? 6 : 9;
    out.append(text, static_cast<std::size_t>(digits) + 1);
  }
  out += "Z\"";
}

void append_raw(std::string& out, std::string_view value) {
  if (is_json_value(value)) {
    append_json_value(out, value);
  } else {
    append_json_string(out, value);
  }
}

void append_object(std::string& out, const StructRule& rule, const capnp::DynamicStruct::Reader& reader);

// Lists are written with their brackets; an empty list is absent and does not come here.
template <typename Append>
void append_list(std::string& out, const capnp::DynamicList::Reader& list, Append append) {
  out += '[';
  for (unsigned i = 0; i < list.size(); ++i) {
    if (i > 0) out += ',';
    append(list[i]);
  }
  out += ']';
}

// Appends the value; false where there is none after all (an empty list, an object with nothing in it).
bool append_value(std::string& out, const FieldRule& rule, const capnp::DynamicValue::Reader& value) {
  switch (rule.form) {
    case FieldForm::text:
      append_json_string(out, view_of(value.as<capnp::Text>()));
      return true;
    case FieldForm::raw:
      append_raw(out, view_of(value.as<capnp::Text>()));
      return true;
    case FieldForm::timestamp:
      append_timestamp(out, value.as<std::uint64_t>());
      return true;
    case FieldForm::signed_number:
      append_number(out, value.as<std::int64_t>());
      return true;
    case FieldForm::unsigned_number:
      append_number(out, value.as<std::uint64_t>());
      return true;
    case FieldForm::word: {
      const std::uint16_t raw = value.as<capnp::DynamicEnum>().getRaw();
      if (raw == 0 || raw >= rule.words.size()) return false;
      out += rule.words[raw];
      return true;
    }
    case FieldForm::object: {
      const std::size_t before = out.size();
      append_object(out, *rule.members, value.as<capnp::DynamicStruct>());
      return out.size() - before > 2;
    }
    case FieldForm::texts: {
      const auto list = value.as<capnp::DynamicList>();
      if (list.size() == 0) return false;
      append_list(out, list,
                  [&](const auto& one) { append_json_string(out, view_of(one.template as<capnp::Text>())); });
      return true;
    }
    case FieldForm::objects: {
      const auto list = value.as<capnp::DynamicList>();
      if (list.size() == 0) return false;
      append_list(out, list,
                  [&](const auto& one) { append_object(out, *rule.members, one.template as<capnp::DynamicStruct>()); });
      return true;
    }
  }
  return false;
}

// Appends the field with its key and a comma after it, or nothing where it is absent.
void append_field(std::string& out, const FieldRule& rule, const capnp::DynamicStruct::Reader& reader) {
  if (!rule.always && !reader.has(rule.field, capnp::HasMode::NON_DEFAULT)) return;
  const std::size_t before = out.size();
  out += rule.lead;
  if (append_value(out, rule, reader.get(rule.field))) {
    out += ',';
  } else {
    out.resize(before);
  }
}

// Ends an object whose members each left a comma behind.
void close_object(std::string& out) {
  if (out.back() == ',') {
    out.back() = '}';
  } else {
    out += '}';
  }
}

void append_object(std::string& out, const StructRule& rule, const capnp::DynamicStruct::Reader& reader) {
  out += '{';
  for (const FieldRule& field : rule.fields) append_field(out, field, reader);
  close_object(out);
}

}  // namespace

void append_event_json(std::string& out, schema::Event::Reader event) {
  const EventTable& table = event_table();
  const capnp::DynamicStruct::Reader reader(event);
  const auto which = static_cast<std::size_t>(event.getData().which());
  const EventType* event_type = which < table.types.size() ? &table.types[which] : nullptr;
  const bool known = event_type != nullptr && event_type->members != nullptr;

  out += '{';
  for (const FieldRule& field : table.envelope->fields) {
    append_field(out, field, reader);
    if (field.key == "event_id" && known) out.append("\"event_type\":\"").append(event_type->name).append("\",");
  }
  out += "\"data\":";
  if (known) {
    const auto data = reader.get(table.data).as<capnp::DynamicStruct>();
    append_object(out, *event_type->members, data.get(event_type->field).as<capnp::DynamicStruct>());
  } else {
    out += "{}";
  }
  out += '}';
}

std::string render_event_json(schema::Event::Reader event) {
  std::string out;
  out.reserve(event.totalSize().wordCount * 8 * 2);
  append_event_json(out, event);
  return out;
}

}  // namespace oisp
