// Visits every text of a Cap'n Proto message. What a struct's pointers lead to is learned once from the
// schema, so that a walk follows pointers and asks no schema; a field that is added later is visited
// without a change here.
#pragma once

#include <capnp/any.h>
#include <capnp/schema.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace oisp {

class TextWalk {
 public:
  // May give a text to put in its place.
  using Visit = std::function<std::optional<std::string>(std::string_view)>;

  explicit TextWalk(capnp::StructSchema root);

  void walk(capnp::AnyStruct::Builder root, const Visit& visit) const { walk(root, *root_, visit); }

 private:
  struct Shape;
  struct Pointer {
    enum class Leads { text, structure, text_list, struct_list };
    Leads leads;
    unsigned index;      // in the struct's pointer section
    const Shape* shape;  // of the struct, or the list's elements
    // Of a member of a union: set only where the 16-bit word at `tag_index` is `tag`.
    bool in_union;
    unsigned tag_index;
    std::uint16_t tag;
  };
  struct Shape {
    std::vector<Pointer> pointers;
  };
  struct Tag {
    unsigned index = 0;
    std::uint16_t value = 0;
  };

  const Shape* shape_of(capnp::StructSchema schema);
  void learn(capnp::StructSchema schema, std::optional<Tag> outer, Shape& shape);
  void learn_slot(capnp::StructSchema::Field field, std::optional<Tag> tag, Shape& shape);
  void walk(capnp::AnyStruct::Builder object, const Shape& shape, const Visit& visit) const;
  void follow(capnp::AnyPointer::Builder pointer, const Pointer& how, const Visit& visit) const;

  std::map<std::uint64_t, std::unique_ptr<Shape>> shapes_;  // by type id
  const Shape* root_;
};

}  // namespace oisp
