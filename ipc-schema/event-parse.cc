// The reading half of event-json.h.
#include <capnp/dynamic.h>
#include <simdjson.h>

#include <charconv>
#include <chrono>
#include <limits>
#include <optional>

#include "base/log.h"
#include "ipc-schema/event-json.h"
#include "ipc-schema/event-table.h"
#include "ipc-schema/json-text.h"

namespace oisp {
namespace {

using simdjson::ondemand::array;
using simdjson::ondemand::object;
using simdjson::ondemand::value;

std::string in_quotes(std::string_view key) { return '"' + printable(key, 80) + '"'; }

Fault wrong(std::string_view key, const char* expected) { return fault(in_quotes(key) + " is not " + expected); }

std::optional<unsigned> digits(std::string_view& text, std::size_t count) {
  if (text.size() < count) return std::nullopt;
  unsigned number = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    number = number * 10 + static_cast<unsigned>(text[i] - '0');
  }
  text.remove_prefix(count);
  return number;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

// YYYY-MM-DDTHH:MM:SS[.fraction]Z as nanoseconds since 1970. Years up to 2553 fit.
std::optional<std::uint64_t> parse_timestamp(std::string_view text) {
  constexpr char kSeparators[] = {'-', '-', 'T', ':', ':', '\0'};
  unsigned part[6];
  for (std::size_t i = 0; i < 6; ++i) {
    const auto number = digits(text, i == 0 ? 4 : 2);
    if (!number || (i < 5 && !take(text, kSeparators[i]))) return std::nullopt;
    part[i] = *number;
  }
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(part[0])), std::chrono::month(part[1]),
                                         std::chrono::day(part[2])};
  if (!date.ok() || part[0] < 1970 || part[0] > 2553 || part[3] > 23 || part[4] > 59 || part[5] > 59)
    return std::nullopt;
  std::uint64_t fraction = 0;
  if (take(text, '.')) {
    std::size_t count = 0;
    while (!text.empty() && text.front() != 'Z' && count < 9) {
      const auto digit = digits(text, 1);
      if (!digit) return std::nullopt;
      fraction = fraction * 10 + *digit;
      ++count;
    }
    if (count == 0) return std::nullopt;
    for (; count < 9; ++count) fraction *= 10;
  }
  if (text != "Z") return std::nullopt;
  const auto days = static_cast<std::uint64_t>(std::chrono::sys_days(date).time_since_epoch().count());
  return (((days * 24 + part[3]) * 60 + part[4]) * 60 + part[5]) * 1'000'000'000 + fraction;
}

// The bytes of a value as they stand in the line.
simdjson::error_code raw_of(value& json, std::string_view& out) {
  simdjson::ondemand::json_type kind{};
  if (const auto error = json.type().get(kind); error != simdjson::SUCCESS) return error;
  switch (kind) {
    case simdjson::ondemand::json_type::object: {
      object members;
      if (const auto error = json.get_object().get(members); error != simdjson::SUCCESS) return error;
      return members.raw_json().get(out);
    }
    case simdjson::ondemand::json_type::array: {
      array elements;
      if (const auto error = json.get_array().get(elements); error != simdjson::SUCCESS) return error;
      return elements.raw_json().get(out);
    }
    case simdjson::ondemand::json_type::number:
    case simdjson::ondemand::json_type::string:
    case simdjson::ondemand::json_type::boolean:
    case simdjson::ondemand::json_type::null:
      break;
  }
  out = json.raw_json_token();
  while (!out.empty() && std::string_view(" \t\r\n").find(out.back()) != std::string_view::npos) out.remove_suffix(1);
  return simdjson::SUCCESS;
}

capnp::Text::Reader as_text(std::string_view text, std::string& keep) {
  keep.assign(text);  // Text wants a NUL behind it
  return {keep.c_str(), keep.size()};
}

class Parser {
 public:
  Status parse_object(object& json, const StructRule& rule, capnp::DynamicStruct::Builder builder) {
    std::uint64_t seen = 0;
    for (auto member : json) {
      std::string_view key;
      if (member.unescaped_key().get(key) != simdjson::SUCCESS) return fault("not JSON");
      const std::string name(key);  // the parser's buffer is used again below
      value inner;
      if (member.value().get(inner) != simdjson::SUCCESS) return fault("not JSON");
      OISP_TRY(parse_member(name, inner, rule, builder, seen));
    }
    return Done{};
  }

  Status parse_member(const std::string& key, value& json, const StructRule& rule,
                      capnp::DynamicStruct::Builder builder, std::uint64_t& seen) {
    for (std::size_t i = 0; i < rule.fields.size(); ++i) {
      const FieldRule& field = rule.fields[i];
      if (field.key != key) continue;
      const std::uint64_t bit = std::uint64_t{1} << i;
      if ((seen & bit) != 0) return fault(in_quotes(key) + " stands there twice");
      seen |= bit;
      return parse_field(field, json, builder);
    }
    return fault("unknown key " + in_quotes(key));
  }

 private:
  Status parse_field(const FieldRule& rule, value& json, capnp::DynamicStruct::Builder builder) {
    switch (rule.form) {
      case FieldForm::text:
      case FieldForm::timestamp: {
        std::string_view text;
        if (json.get_string().get(text) != simdjson::SUCCESS) return wrong(rule.key, "a string");
        if (rule.form == FieldForm::text) {
          builder.set(rule.field, as_text(text, keep_));
          return Done{};
        }
        const auto ns = parse_timestamp(text);
        if (!ns) return wrong(rule.key, "a time like 2026-01-31T23:59:59.5Z");
        builder.set(rule.field, *ns);
        return Done{};
      }
      case FieldForm::raw: {
        std::string_view raw;
        if (raw_of(json, raw) != simdjson::SUCCESS || !is_json_value(raw)) return wrong(rule.key, "JSON");
        builder.set(rule.field, as_text(raw, keep_));
        return Done{};
      }
      case FieldForm::signed_number:
      case FieldForm::unsigned_number:
        return parse_number(rule, json, builder);
      case FieldForm::word:
        return parse_word(rule, json, builder);
      case FieldForm::object: {
        object members;
        if (json.get_object().get(members) != simdjson::SUCCESS) return wrong(rule.key, "an object");
        return parse_object(members, *rule.members, builder.init(rule.field).as<capnp::DynamicStruct>());
      }
      case FieldForm::texts:
      case FieldForm::objects:
        return parse_list(rule, json, builder);
    }
    return fault("not JSON");
  }

  static Status parse_number(const FieldRule& rule, value& json, capnp::DynamicStruct::Builder builder) {
    if (rule.form == FieldForm::unsigned_number) {
      std::uint64_t number = 0;
      if (json.get_uint64().get(number) != simdjson::SUCCESS ||
          (rule.bits == 32 && number > std::numeric_limits<std::uint32_t>::max())) {
        return wrong(rule.key, "a whole number that fits");
      }
      builder.set(rule.field, number);
      return Done{};
    }
    std::int64_t number = 0;
    if (json.get_int64().get(number) != simdjson::SUCCESS ||
        (rule.bits == 32 &&
         (number > std::numeric_limits<std::int32_t>::max() || number < std::numeric_limits<std::int32_t>::min()))) {
      return wrong(rule.key, "a whole number that fits");
    }
    builder.set(rule.field, number);
    return Done{};
  }

  static Status parse_word(const FieldRule& rule, value& json, capnp::DynamicStruct::Builder builder) {
    std::string_view raw;
    if (raw_of(json, raw) != simdjson::SUCCESS) return wrong(rule.key, "one of its words");
    for (std::uint16_t i = 1; i < rule.words.size(); ++i) {
      if (rule.words[i] != raw) continue;
      builder.set(rule.field, capnp::DynamicEnum(rule.field.getType().asEnum(), i));
      return Done{};
    }
    return wrong(rule.key, "one of its words");
  }

  Status parse_list(const FieldRule& rule, value& json, capnp::DynamicStruct::Builder builder) {
    array elements;
    std::size_t count = 0;
    if (json.get_array().get(elements) != simdjson::SUCCESS ||
        elements.count_elements().get(count) != simdjson::SUCCESS) {
      return wrong(rule.key, "a list");
    }
    auto list = builder.init(rule.field, static_cast<unsigned>(count)).as<capnp::DynamicList>();
    unsigned next = 0;
    for (auto element : elements) {
      value inner;
      if (next >= count || element.get(inner) != simdjson::SUCCESS) return wrong(rule.key, "a list");
      if (rule.form == FieldForm::texts) {
        std::string_view text;
        if (inner.get_string().get(text) != simdjson::SUCCESS) return wrong(rule.key, "a list of strings");
        list.set(next, as_text(text, keep_));
      } else {
        object members;
        if (inner.get_object().get(members) != simdjson::SUCCESS) return wrong(rule.key, "a list of objects");
        OISP_TRY(parse_object(members, *rule.members, list[next].as<capnp::DynamicStruct>()));
      }
      ++next;
    }
    return Done{};
  }

  std::string keep_;
};

const EventType* find_type(std::string_view name) {
  for (const EventType& known : event_table().types) {
    if (known.members != nullptr && known.name == name) return &known;
  }
  return nullptr;
}

Status parse_envelope(object& root, const EventType& event_type, capnp::DynamicStruct::Builder builder) {
  const EventTable& table = event_table();
  // The union's member first: its place is wanted even where the line has no `data`.
  auto data = builder.get(table.data).as<capnp::DynamicStruct>().init(event_type.field).as<capnp::DynamicStruct>();
  Parser parser;
  std::uint64_t seen = 0;
  bool has_data = false;
  bool has_type = false;
  for (auto member : root) {
    std::string_view key;
    if (member.unescaped_key().get(key) != simdjson::SUCCESS) return fault("not JSON");
    const std::string name(key);
    value inner;
    if (member.value().get(inner) != simdjson::SUCCESS) return fault("not JSON");
    bool* const once = name == "data" ? &has_data : name == "event_type" ? &has_type : nullptr;
    if (once == nullptr) {
      OISP_TRY(parser.parse_member(name, inner, *table.envelope, builder, seen));
      continue;
    }
    if (*once) return fault(in_quotes(name) + " stands there twice");
    *once = true;
    if (once == &has_type) continue;
    object members;
    if (inner.get_object().get(members) != simdjson::SUCCESS) return wrong(name, "an object");
    OISP_TRY(parser.parse_object(members, *event_type.members, data));
  }
  return Done{};
}

}  // namespace

Status parse_event_json(std::string_view line, schema::Event::Builder event) {
  const simdjson::padded_string padded(line);
  simdjson::ondemand::parser parser;
  simdjson::ondemand::document document;
  object root;
  if (parser.iterate(padded).get(document) != simdjson::SUCCESS ||
      document.get_object().get(root) != simdjson::SUCCESS) {
    return fault("not a JSON object");
  }
  // event_type says what `data` is, so it is found first, wherever it stands.
  std::string_view name;
  if (root.find_field_unordered("event_type").get_string().get(name) != simdjson::SUCCESS) {
    return fault("no \"event_type\"");
  }
  const EventType* event_type = find_type(name);
  if (event_type == nullptr) return fault("unknown event type " + in_quotes(name));
  document.rewind();
  if (document.get_object().get(root) != simdjson::SUCCESS) return fault("not a JSON object");
  OISP_TRY(parse_envelope(root, *event_type, event));
  const char* rest = nullptr;
  if (document.current_location().get(rest) == simdjson::SUCCESS) return fault("more than one JSON object");
  return Done{};
}

}  // namespace oisp
