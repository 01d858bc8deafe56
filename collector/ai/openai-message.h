// The parts that OpenAI's requests and answers are made of.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "collector/ai/json-reader.h"
#include "collector/ai/model.h"

namespace oisp::ai {

// `images` is raised by the parts that are pictures; `thinking`: where reasoning goes that some providers
// put beside the content.
Message read_message(JsonReader& reader, JsonValue value, std::int32_t& images, std::optional<std::string>& thinking);
ContentPart read_part(JsonReader& reader, JsonValue value);
// A message's content: text, or parts.
void read_content(JsonReader& reader, JsonValue value, Message& message, std::int32_t& images);
// How large what is not text in a message is.
std::int64_t data_bytes(const Message& message);
ToolCall read_tool_call(JsonReader& reader, JsonValue value);
Tool read_tool(JsonReader& reader, JsonValue value);

// Fields that an answer and the events of a streamed one share. False: `key` is another one.
bool read_answer_field(JsonReader& reader, std::string_view key, JsonValue field, Response& response);
void add_thinking(JsonReader& reader, Response& response, const std::optional<std::string>& thinking);

}  // namespace oisp::ai
