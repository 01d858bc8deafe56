#include "collector/ai/openai-message.h"

#include <algorithm>

#include "collector/ai/dialect.h"
#include "collector/ai/usage.h"

namespace oisp::ai {
namespace {

// {"name": …, "arguments": …}
void read_function(JsonReader& reader, JsonValue value, ToolCall& call) {
  reader.each_field(value, [&](std::string_view key, JsonValue field) {
    if (key == "name") {
      (void)reader.read_text(field, call.name);
    } else if (key == "arguments") {
      reader.read_raw(field, call.arguments_json);
    }
  });
}

void read_part_source(JsonReader& reader, JsonValue value, ContentPart& part) {
  if (JsonReader::is_string(value)) {
    read_url(reader, value, part);
    return;
  }
  reader.each_field(value, [&](std::string_view key, JsonValue field) {
    if (key == "url" || key == "file_data") {
      read_url(reader, field, part);
    } else if (key == "data") {
      part.size_bytes = static_cast<std::int64_t>(JsonReader::text_size(field));
    } else if (key == "format") {
      (void)reader.read_text(field, part.media_type);
    } else if (key == "filename" || key == "file_id") {
      (void)reader.read_text(field, part.name);
    }
  });
}

}  // namespace

ToolCall read_tool_call(JsonReader& reader, JsonValue value) {
  ToolCall call;
  reader.each_field(value, [&](std::string_view key, JsonValue field) {
    if (key == "id") {
      (void)reader.read_text(field, call.id);
    } else if (key == "type") {
      (void)reader.read_text(field, call.type);
    } else if (key == "function") {
      read_function(reader, field, call);
    } else if (key == "custom") {
      reader.each_field(field, [&](std::string_view name, JsonValue inner) {
        if (name == "name") {
          (void)reader.read_text(inner, call.name);
        } else if (name == "input") {
          reader.read_raw(inner, call.arguments_json);
        }
      });
    }
  });
  return call;
}

// Chat Completions has the source in an object, Responses beside the type.
ContentPart read_part(JsonReader& reader, JsonValue value) {
  ContentPart part;
  reader.each_field(value, [&](std::string_view key, JsonValue field) {
    if (key == "type") {
      (void)reader.read_text(field, part.type);
    } else if (key == "text" || key == "refusal") {
      (void)reader.read_text(field, part.text);
    } else if (key == "image_url" || key == "input_audio" || key == "file" || key == "file_url" || key == "file_data") {
      read_part_source(reader, field, part);
    } else if (key == "filename" || key == "file_id") {
      (void)reader.read_text(field, part.name);
    }
  });
  return part;
}

void read_content(JsonReader& reader, JsonValue value, Message& message, std::int32_t& images) {
  if (!reader.read_text(value, message.content)) {
    (void)reader.each_element(value, [&](JsonValue element) {
      if (!reader.afford_item()) {
        return;
      }
      ContentPart part = read_part(reader, element);
      images += part.type == "image_url" || part.type == "input_image" ? 1 : 0;
      const bool text = part.type == "text" || part.type == "input_text" || part.type == "output_text";
      if (text && part.text.has_value()) {
        append_line(reader, message.content, *part.text);
      }
      message.parts.push_back(std::move(part));
    });
  }
  if (message.content.has_value()) {
    message.content_length = static_cast<std::int64_t>(message.content->size());
  }
}

std::int64_t data_bytes(const Message& message) {
  std::int64_t size = 0;
  for (const ContentPart& part : message.parts) {
    size += std::max<std::int64_t>(part.size_bytes, 0);
  }
  return size;
}

Message read_message(JsonReader& reader, JsonValue value, std::int32_t& images, std::optional<std::string>& thinking) {
  Message message;
  reader.each_field(value, [&](std::string_view key, JsonValue field) {
    if (key == "role") {
      (void)reader.read_text(field, message.role);
    } else if (key == "content") {
      read_content(reader, field, message, images);
    } else if (key == "name") {
      (void)reader.read_text(field, message.name);
    } else if (key == "tool_call_id") {
      (void)reader.read_text(field, message.tool_call_id);
    } else if (key == "refusal") {
      (void)reader.read_text(field, message.refusal);
    } else if (key == "reasoning_content" || (key == "reasoning" && !thinking.has_value())) {
      (void)reader.read_text(field, thinking);
    } else if (key == "tool_calls") {
      (void)reader.each_element(field, [&](JsonValue element) {
        if (reader.afford_item()) {
          message.tool_calls.push_back(read_tool_call(reader, element));
        }
      });
    } else if (key == "function_call" && !JsonReader::is_null(field)) {
      ToolCall call;  // the form before tools: no id
      call.type = "function";
      read_function(reader, field, call);
      message.tool_calls.push_back(std::move(call));
    }
  });
  return message;
}

Tool read_tool(JsonReader& reader, JsonValue value) {
  Tool tool;
  const auto visit = [&](std::string_view key, JsonValue field) {
    if (key == "name") {
      (void)reader.read_text(field, tool.name);
    } else if (key == "description") {
      (void)reader.read_text(field, tool.description);
    }
  };
  reader.each_field(value, [&](std::string_view key, JsonValue field) {
    if (key == "type") {
      (void)reader.read_text(field, tool.type);
    } else if (key == "function" || key == "custom") {
      reader.each_field(field, visit);
    } else {
      visit(key, field);
    }
  });
  return tool;
}

bool read_answer_field(JsonReader& reader, std::string_view key, JsonValue field, Response& response) {
  if (key == "id") {
    if (response.id.empty()) {
      (void)reader.read_text(field, response.id);
    }
  } else if (key == "model") {
    if (response.model.empty()) {
      (void)reader.read_text(field, response.model);
    }
  } else if (key == "service_tier") {
    (void)reader.read_text(field, response.service_tier);
  } else if (key == "usage") {
    read_usage(reader, field,
               {{{}, "prompt_tokens", &Usage::prompt_tokens},
                {{}, "completion_tokens", &Usage::completion_tokens},
                {{}, "total_tokens", &Usage::total_tokens},
                {"prompt_tokens_details", "cached_tokens", &Usage::cached_tokens},
                {"prompt_tokens_details", "cache_write_tokens", &Usage::cache_creation_tokens},
                {"completion_tokens_details", "reasoning_tokens", &Usage::reasoning_tokens},
                {{}, "prompt_cache_hit_tokens", &Usage::cached_tokens, true}},  // DeepSeek
               response.usage);
  } else if (key == "error") {
    read_error(reader, field, response.error);
  } else {
    return false;
  }
  return true;
}

void add_thinking(JsonReader& reader, Response& response, const std::optional<std::string>& thinking) {
  if (thinking.has_value() && !thinking->empty()) {
    append_line(reader, response.thinking, *thinking);
  }
}

}  // namespace oisp::ai
