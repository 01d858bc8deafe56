// The rendering half of event-json.h.
#include <capnp/any.h>

#include <array>
#include <charconv>
#include <chrono>
#include <cstring>

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

// Exactly `width` digits.
void append_digits(std::string& out, std::uint64_t number, std::size_t width) {
  const std::size_t end = out.size() + width;
  out.resize(end);
  for (std::size_t at = end; at > end - width; number /= 10) out[--at] = static_cast<char>('0' + number % 10);
}

// RFC 3339 in UTC with as much of the fraction as there is, in steps of three digits.
void append_timestamp(std::string& out, std::uint64_t ns) {
  constexpr std::uint64_t kSecond = 1'000'000'000;
  const std::uint64_t seconds = ns / kSecond;
  const std::uint64_t fraction = ns % kSecond;
  const std::chrono::sys_days midnight{std::chrono::days(static_cast<int>(seconds / 86'400))};
  const std::chrono::year_month_day date(midnight);
  out += '"';
  append_digits(out, static_cast<unsigned>(static_cast<int>(date.year())), 4);
  append_digits(out += '-', static_cast<unsigned>(date.month()), 2);
  append_digits(out += '-', static_cast<unsigned>(date.day()), 2);
  append_digits(out += 'T', seconds / 3600 % 24, 2);
  append_digits(out += ':', seconds / 60 % 60, 2);
  append_digits(out += ':', seconds % 60, 2);
  if (fraction % 1'000'000 == 0 && fraction != 0) {
    append_digits(out += '.', fraction / 1'000'000, 3);
  } else if (fraction % 1000 == 0 && fraction != 0) {
    append_digits(out += '.', fraction / 1000, 6);
  } else if (fraction != 0) {
    append_digits(out += '.', fraction, 9);
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

// An object as it lies in the message: the schema's own reflection costs several times more.
struct Object {
  explicit Object(capnp::AnyStruct::Reader reader)
      : data(reader.getDataSection()), pointers(reader.getPointerSection()) {}

  // As it is stored: with the default's bits flipped, so that zero is the default. What an older
  // writer did not know lies beyond the end and is the default as well.
  [[nodiscard]] std::uint64_t stored(const FieldRule& rule) const {
    const std::size_t width = rule.bits / 8;
    const std::size_t begin = rule.slot * width;
    std::uint64_t value = 0;
    if (begin + width <= data.size()) std::memcpy(&value, data.begin() + begin, width);
    return value;
  }
  [[nodiscard]] capnp::AnyPointer::Reader pointer(std::uint32_t slot) const {
    return slot < pointers.size() ? pointers[slot] : capnp::AnyPointer::Reader();
  }

  capnp::Data::Reader data;
  capnp::List<capnp::AnyPointer>::Reader pointers;
};

void append_object(std::string& out, const StructRule& rule, const Object& object);

template <typename Element, typename Append>
bool append_list(std::string& out, const typename capnp::List<Element>::Reader& list, Append append) {
  if (list.size() == 0) return false;
  out += '[';
  for (unsigned i = 0; i < list.size(); ++i) {
    if (i > 0) out += ',';
    append(list[i]);
  }
  out += ']';
  return true;
}

// These append the value; false where there is none after all.

bool append_number_of(std::string& out, const FieldRule& rule, std::uint64_t stored) {
  if (stored == 0 && !rule.always) return false;
  if (rule.form == FieldForm::word) {
    if (stored == 0 || stored >= rule.words.size()) return false;
    out += rule.words[stored];
    return true;
  }
  const std::uint64_t mask = rule.bits < 64 ? (std::uint64_t{1} << rule.bits) - 1 : ~std::uint64_t{0};
  const std::uint64_t value = (stored ^ static_cast<std::uint64_t>(rule.absent)) & mask;
  if (rule.form == FieldForm::timestamp) {
    append_timestamp(out, value);
  } else if (rule.form == FieldForm::unsigned_number) {
    append_number(out, value);
  } else {
    append_number(out,
                  rule.bits == 32 ? std::int64_t{static_cast<std::int32_t>(value)} : static_cast<std::int64_t>(value));
  }
  return true;
}

bool append_pointed(std::string& out, const FieldRule& rule, capnp::AnyPointer::Reader pointer) {
  if (pointer.isNull() && !rule.always) return false;
  switch (rule.form) {
    case FieldForm::text:
      append_json_string(out, view_of(pointer.getAs<capnp::Text>()));
      return true;
    case FieldForm::raw:
      append_raw(out, view_of(pointer.getAs<capnp::Text>()));
      return true;
    case FieldForm::object: {
      const std::size_t before = out.size();
      append_object(out, *rule.members, Object(pointer.getAs<capnp::AnyStruct>()));
      return out.size() - before > 2;
    }
    case FieldForm::texts:
      return append_list<capnp::Text>(out, pointer.getAs<capnp::List<capnp::Text>>(),
                                      [&](capnp::Text::Reader one) { append_json_string(out, view_of(one)); });
    case FieldForm::objects:
      return append_list<capnp::AnyStruct>(
          out, pointer.getAs<capnp::AnyList>().as<capnp::List<capnp::AnyStruct>>(),
          [&](capnp::AnyStruct::Reader one) { append_object(out, *rule.members, Object(one)); });
    default:
      return false;
  }
}

// Appends the field with its key and a comma after it, or nothing where it is absent.
void append_field(std::string& out, const FieldRule& rule, const Object& object) {
  const std::size_t before = out.size();
  out += rule.lead;
  const bool there = rule.bits != 0 ? append_number_of(out, rule, object.stored(rule))
                                    : append_pointed(out, rule, object.pointer(rule.slot));
  if (there) {
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

void append_object(std::string& out, const StructRule& rule, const Object& object) {
  out += '{';
  for (const FieldRule& field : rule.fields) append_field(out, field, object);
  close_object(out);
}

}  // namespace

void append_event_json(std::string& out, schema::Event::Reader event) {
  const EventTable& table = event_table();
  const Object envelope{capnp::toAny(event)};
  const auto which = static_cast<std::size_t>(event.getData().which());
  const EventType* event_type = which < table.types.size() ? &table.types[which] : nullptr;
  const bool known = event_type != nullptr && event_type->members != nullptr;

  out += '{';
  for (const FieldRule& field : table.envelope->fields) {
    append_field(out, field, envelope);
    if (field.key == "event_id" && known) out.append("\"event_type\":\"").append(event_type->name).append("\",");
  }
  out += "\"data\":";
  if (known) {
    append_object(out, *event_type->members, Object(envelope.pointer(event_type->slot).getAs<capnp::AnyStruct>()));
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
