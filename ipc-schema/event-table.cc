#include "ipc-schema/event-table.h"

#include <event.capnp.h>

#include <algorithm>

#include "base/bug.h"

namespace oisp {
namespace {

// The identifiers of event.capnp's annotations.
constexpr std::uint64_t kJson = 0xd0b5b1c7a1b2c301;
constexpr std::uint64_t kRaw = 0xd0b5b1c7a1b2c302;
constexpr std::uint64_t kTimestamp = 0xd0b5b1c7a1b2c303;
constexpr std::uint64_t kAlways = 0xd0b5b1c7a1b2c304;
constexpr std::uint64_t kEventType = 0xd0b5b1c7a1b2c305;
constexpr std::uint64_t kDoc = 0xd0b5b1c7a1b2c306;

using Annotations = capnp::List<capnp::schema::Annotation>::Reader;
namespace type = capnp::schema;

bool has(Annotations annotations, std::uint64_t id) {
  for (const auto one : annotations) {
    if (one.getId() == id) return true;
  }
  return false;
}

std::string text_of(Annotations annotations, std::uint64_t id) {
  for (const auto one : annotations) {
    if (one.getId() == id) return one.getValue().getText().cStr();
  }
  return {};
}

std::string snake_case(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c >= 'A' && c <= 'Z') {
      out += '_';
      out += static_cast<char>(c - 'A' + 'a');
    } else {
      out += c;
    }
  }
  return out;
}

std::vector<std::string> words_of(const capnp::EnumSchema& schema) {
  std::vector<std::string> words;
  for (const auto enumerant : schema.getEnumerants()) {
    const auto proto = enumerant.getProto();
    const std::string literal = text_of(proto.getAnnotations(), kJson);
    words.push_back(literal.empty() ? '"' + snake_case(proto.getName().cStr()) + '"' : literal);
  }
  return words;
}

class Builder {
 public:
  explicit Builder(EventTable& table) : table_(table) {}

  const StructRule* rule_for(const capnp::StructSchema& schema) {
    for (const auto& known : table_.structs) {
      if (known->schema == schema) return known.get();
    }
    auto rule = std::make_unique<StructRule>();
    const auto proto = schema.getProto();
    rule->schema = schema;
    rule->name = std::string(proto.getDisplayName().cStr()).substr(proto.getDisplayNamePrefixLength());
    rule->doc = text_of(proto.getAnnotations(), kDoc);
    std::vector<capnp::StructSchema::Field> fields;
    for (const auto field : schema.getFields()) {
      if (field.getProto().isSlot()) fields.push_back(field);
    }
    std::sort(fields.begin(), fields.end(),
              [](const auto& a, const auto& b) { return a.getProto().getCodeOrder() < b.getProto().getCodeOrder(); });
    for (const auto& field : fields) rule->fields.push_back(field_rule(field));
    table_.structs.push_back(std::move(rule));
    return table_.structs.back().get();
  }

 private:
  FieldRule field_rule(const capnp::StructSchema::Field& field) {
    const auto proto = field.getProto();
    const auto annotations = proto.getAnnotations();
    FieldRule rule{.field = field,
                   .form = FieldForm::text,
                   .bits = 0,
                   .slot = proto.getSlot().getOffset(),
                   .absent = 0,
                   .members = nullptr};
    const std::string renamed = text_of(annotations, kJson);
    rule.key = renamed.empty() ? snake_case(proto.getName().cStr()) : renamed;
    rule.lead = '"' + rule.key + "\":";
    rule.always = has(annotations, kAlways);
    rule.doc = text_of(annotations, kDoc);
    set_form(rule, field.getType(), proto.getSlot().getDefaultValue());
    if (has(annotations, kRaw)) rule.form = FieldForm::raw;
    if (has(annotations, kTimestamp)) rule.form = FieldForm::timestamp;
    return rule;
  }

  void set_form(FieldRule& rule, const capnp::Type& field_type, type::Value::Reader absent) {
    const auto number = [&](FieldForm form, std::uint8_t bits, std::int64_t value) {
      rule.form = form;
      rule.bits = bits;
      rule.absent = value;
    };
    switch (field_type.which()) {
      case type::Type::TEXT:
        rule.form = FieldForm::text;
        return;
      case type::Type::UINT32:
        return number(FieldForm::unsigned_number, 32, absent.getUint32());
      case type::Type::UINT64:
        return number(FieldForm::unsigned_number, 64, static_cast<std::int64_t>(absent.getUint64()));
      case type::Type::INT32:
        return number(FieldForm::signed_number, 32, absent.getInt32());
      case type::Type::INT64:
        return number(FieldForm::signed_number, 64, absent.getInt64());
      case type::Type::ENUM:
        number(FieldForm::word, 16, 0);
        rule.words = words_of(field_type.asEnum());
        return;
      case type::Type::STRUCT:
        rule.form = FieldForm::object;
        rule.members = rule_for(field_type.asStruct());
        return;
      case type::Type::LIST: {
        const auto element = field_type.asList().getElementType();
        rule.form = element.isStruct() ? FieldForm::objects : FieldForm::texts;
        if (element.isStruct()) rule.members = rule_for(element.asStruct());
        OISP_BUG_IF(!element.isStruct() && !element.isText());
        return;
      }
      default:
        OISP_BUG_IF(true);  // event.capnp has a field of a type that no form is made for
    }
  }

  EventTable& table_;
};

EventTable make_table() {
  EventTable table{};
  Builder builder(table);
  const auto event = capnp::Schema::from<schema::Event>();
  table.envelope = builder.rule_for(event);
  table.data = event.getFieldByName("data");
  for (const auto member : table.data.getType().asStruct().getUnionFields()) {
    const std::string name = text_of(member.getProto().getAnnotations(), kEventType);
    table.types.push_back({.name = name,
                           .field = member,
                           .members = name.empty() ? nullptr : builder.rule_for(member.getType().asStruct()),
                           .slot = member.getProto().getSlot().getOffset()});
  }
  return table;
}

}  // namespace

const EventTable& event_table() {
  static const EventTable table = make_table();
  return table;
}

}  // namespace oisp
