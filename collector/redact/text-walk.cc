#include "collector/redact/text-walk.h"

#include <cstring>

#include "base/bug.h"

namespace oisp {
namespace {

std::string_view view_of(capnp::Text::Reader text) { return {text.begin(), text.size()}; }

}  // namespace

TextWalk::TextWalk(capnp::StructSchema root) : root_(shape_of(root)) {}

const TextWalk::Shape* TextWalk::shape_of(capnp::StructSchema schema) {
  auto& shape = shapes_[schema.getProto().getId()];
  if (!shape) {
    shape = std::make_unique<Shape>();
    Shape& fresh = *shape;
    learn(schema, {}, fresh);
    return &fresh;
  }
  return shape.get();
}

void TextWalk::learn(capnp::StructSchema schema, std::optional<Tag> outer, Shape& shape) {
  const unsigned tag_index = schema.getProto().getStruct().getDiscriminantOffset();
  for (const auto field : schema.getFields()) {
    const auto proto = field.getProto();
    std::optional<Tag> tag = outer;
    if (proto.getDiscriminantValue() != capnp::schema::Field::NO_DISCRIMINANT) {
      OISP_BUG_IF(outer.has_value());  // a union within a union's group: the schema has none
      tag = Tag{.index = tag_index, .value = proto.getDiscriminantValue()};
    }
    if (proto.isGroup()) {
      learn(field.getType().asStruct(), tag, shape);
    } else {
      learn_slot(field, tag, shape);
    }
  }
}

void TextWalk::learn_slot(capnp::StructSchema::Field field, std::optional<Tag> tag, Shape& shape) {
  const auto type = field.getType();
  Pointer pointer{.leads = Pointer::Leads::text,
                  .index = field.getProto().getSlot().getOffset(),
                  .shape = nullptr,
                  .in_union = tag.has_value(),
                  .tag_index = tag.value_or(Tag{}).index,
                  .tag = tag.value_or(Tag{}).value};
  if (type.isStruct()) {
    pointer.leads = Pointer::Leads::structure;
    pointer.shape = shape_of(type.asStruct());
  } else if (type.isList()) {
    const auto element = type.asList().getElementType();
    OISP_BUG_IF(element.isList() || element.isAnyPointer());  // the schema has none
    if (!element.isText() && !element.isStruct()) return;
    pointer.leads = element.isText() ? Pointer::Leads::text_list : Pointer::Leads::struct_list;
    if (element.isStruct()) pointer.shape = shape_of(element.asStruct());
  } else if (!type.isText()) {
    OISP_BUG_IF(type.isData() || type.isAnyPointer());  // would leave unseen
    return;
  }
  shape.pointers.push_back(pointer);
}

void TextWalk::walk(capnp::AnyStruct::Builder object, const Shape& shape, const Visit& visit) const {
  const auto data = object.getDataSection();
  auto pointers = object.getPointerSection();
  for (const Pointer& pointer : shape.pointers) {
    if (pointer.index >= pointers.size()) continue;
    if (pointer.in_union) {
      std::uint16_t tag = 0;
      if ((pointer.tag_index + 1) * sizeof tag <= data.size()) {
        std::memcpy(&tag, data.begin() + pointer.tag_index * sizeof tag, sizeof tag);
      }
      if (tag != pointer.tag) continue;
    }
    auto here = pointers[pointer.index];
    if (!here.isNull()) follow(here, pointer, visit);
  }
}

void TextWalk::follow(capnp::AnyPointer::Builder pointer, const Pointer& how, const Visit& visit) const {
  switch (how.leads) {
    case Pointer::Leads::text: {
      const auto text = visit(view_of(pointer.getAs<capnp::Text>().asReader()));
      if (text) pointer.setAs<capnp::Text>(capnp::Text::Reader(text->c_str(), text->size()));
      return;
    }
    case Pointer::Leads::structure:
      return walk(pointer.getAs<capnp::AnyStruct>(), *how.shape, visit);
    case Pointer::Leads::text_list: {
      auto list = pointer.getAs<capnp::List<capnp::Text>>();
      for (unsigned i = 0; i < list.size(); ++i) {
        const auto text = visit(view_of(list[i].asReader()));
        if (text) list.set(i, capnp::Text::Reader(text->c_str(), text->size()));
      }
      return;
    }
    case Pointer::Leads::struct_list: {
      auto list = pointer.getAs<capnp::AnyList>().as<capnp::List<capnp::AnyStruct>>();
      for (unsigned i = 0; i < list.size(); ++i) walk(list[i], *how.shape, visit);
      return;
    }
  }
}

}  // namespace oisp
