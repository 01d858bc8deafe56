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
Tool read_tool(JsonReader& reader, JsonValue value);

// Fields that an answer and the events of a streamed one share. False: `key` is another one.
bool read_answer_field(JsonReader& reader, std::string_view key, JsonValue field, Response& response);
void add_thinking(JsonReader& reader, Response& response, const std::optional<std::string>& thinking);

}  // namespace oisp::ai
