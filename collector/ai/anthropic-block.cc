#include "collector/ai/anthropic-block.h"

#include <algorithm>

#include "collector/ai/dialect.h"

namespace oisp::ai {
namespace {

// {"type": "base64" | "text" | "url" | "file", "media_type", "data", "url", "file_id"}
// Where the type stands behind the data, a text is described by its size only.
void read_source(JsonReader& reader, JsonValue source, ContentPart& part) {
  std::string type;
  reader.each_field(source, [&](std::string_view key, JsonValue value) {
    if (key == "type") {
      (void)reader.read_text(value, type);
    } else if (key == "media_type") {
      (void)reader.read_text(value, part.media_type);
    } else if (key == "url") {
      read_url(reader, value, part);
    } else if (key == "file_id") {
      (void)reader.read_text(value, part.name);
    } else if (key == "data" && type == "text") {
      (void)reader.read_text(value, part.text);
    } else if (key == "data") {
      part.size_bytes = static_cast<std::int64_t>(JsonReader::text_size(value));
    }
  });
}

// A block within a block: what a tool said, of the program's or of the provider's (a page found, a command's
// output, a word for what went wrong).
void read_inner_block(JsonReader& reader, JsonValue value, InnerContent& inner) {
  ContentPart part;
  reader.each_field(value, [&](std::string_view key, JsonValue field) {
    if (key == "type") {
      (void)reader.read_text(field, part.type);
    } else if (key == "source") {
      read_source(reader, field, part);
    } else if (key == "text" || key == "title" || key == "url" || key == "stdout" || key == "stderr" ||
               key == "error_code") {
      std::string text;
      if (reader.read_text(field, text) && (key == "text" || !text.empty())) {
        append_line(reader, inner.text, text);
      }
    }
  });
  inner.images += part.type == "image" ? 1 : 0;
  inner.data_bytes += std::max<std::int64_t>(part.size_bytes, 0);
  inner.failed = inner.failed || part.type.ends_with("_error");
  if (part.text.has_value()) {
    append_line(reader, inner.text, *part.text);
  }
}

// One field of a block; streamed blocks begin with the same ones.
void read_block_field(JsonReader& reader, std::string_view key, JsonValue field, Block& block) {
  ContentPart& part = block.part;
  if (key == "type") {
    (void)reader.read_text(field, part.type);
  } else if (key == "text" || key == "thinking") {
    (void)reader.read_text(field, part.text);
  } else if (key == "id" || key == "tool_use_id") {
    (void)reader.read_text(field, part.tool_call_id);
  } else if (key == "name" || key == "title") {
    (void)reader.read_text(field, part.name);
  } else if (key == "server_name") {
    (void)reader.read_text(field, block.server);
  } else if (key == "input") {
    reader.read_raw(field, part.arguments_json);
  } else if (key == "is_error") {
    reader.read_bool(field, part.is_error);
  } else if (key == "data") {
    part.size_bytes = static_cast<std::int64_t>(JsonReader::text_size(field));
  } else if (key == "content") {
    read_inner(reader, field, block.inner);
  } else if (key == "source") {
    read_source(reader, field, part);
  }
}

}  // namespace

// Blocks within blocks end here: one level is what the API knows.
void read_inner(JsonReader& reader, JsonValue value, InnerContent& inner) {
  if (reader.read_text(value, inner.text)) {
    return;
  }
  if (!reader.each_element(value, [&](JsonValue element) { read_inner_block(reader, element, inner); })) {
    read_inner_block(reader, value, inner);
  }
}

Block read_block(JsonReader& reader, JsonValue value) {
  Block block;
  reader.each_field(value, [&](std::string_view key, JsonValue field) { read_block_field(reader, key, field, block); });
  if (block.part.type == "image") {
    ++block.inner.images;
  }
  if (block.inner.text.has_value() && !block.part.text.has_value()) {
    block.part.text = block.inner.text;
  }
  if (block.inner.failed && !block.part.is_error.has_value()) {
    block.part.is_error = true;
  }
  return block;
}

bool is_call(const ContentPart& part) {
  return part.type == "tool_use" || part.type == "server_tool_use" || part.type == "mcp_tool_use";
}

}  // namespace oisp::ai
