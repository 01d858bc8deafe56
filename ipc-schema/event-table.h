// The annotations of event.capnp as a table: what the renderer, the parser and the event reference
// walk over. Built once, from the schema that is compiled in.
#pragma once

#include <capnp/dynamic.h>
#include <capnp/schema.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace oisp {

enum class FieldForm : std::uint8_t {
  text,
  raw,
  timestamp,
  signed_number,
  unsigned_number,
  word,
  object,
  texts,
  objects
};

struct StructRule;

struct FieldRule {
  capnp::StructSchema::Field field;
  std::string key;
  std::string lead;  // "key": as it stands in a line
  FieldForm form;
  bool always;
  std::uint8_t bits;               // width of a number or word
  std::uint32_t slot;              // its place: in the data section in units of `bits`, else among the pointers
  std::int64_t absent;             // the number that means absent
  const StructRule* members;       // of object and objects
  std::vector<std::string> words;  // of a word, by its ordinal, as JSON; the first is never written
  std::string doc;
};

struct StructRule {
  capnp::StructSchema schema;
  std::string name;
  std::vector<FieldRule> fields;  // in the order of the schema's text
  std::string doc;
};

struct EventType {
  std::string name;
  capnp::StructSchema::Field field;  // in the union `data`
  const StructRule* members;
  std::uint32_t slot;  // among the event's pointers
};

struct EventTable {
  std::vector<std::unique_ptr<StructRule>> structs;  // owns all rules
  const StructRule* envelope;                        // without `data`
  capnp::StructSchema::Field data;
  std::vector<EventType> types;  // by the ordinal in the union; `unset` has no name
};

const EventTable& event_table();

}  // namespace oisp
