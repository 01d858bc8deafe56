// Items: what OpenAI's Responses take and give (https://platform.openai.com/docs/api-reference/responses).
// A message, a call of a tool, a tool's result and a piece of reasoning are an item each.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "collector/ai/json-reader.h"
#include "collector/ai/model.h"

namespace oisp::ai {

enum class ItemKind : std::uint8_t {
  message,
  call,    // of a function of the program's, or of a tool of the provider's
  result,  // that the program sends back
  reasoning,
  other,
};

struct Item {
  std::string type;
  std::string id;
  std::string call_id;
  std::string server;
  std::string arguments_json;
  std::string status;
  std::optional<bool> approved;
  bool failed = false;
  // Role, name, text and parts. Of an item that is no message: what it says (a result, a summary of the
  // reasoning, what a tool of the provider's found).
  Message message;
  std::int32_t images = 0;
  std::int64_t data_bytes = -1;  // of what is not text: a picture, encrypted reasoning

  [[nodiscard]] ItemKind kind() const;
  // Where the provider gives a call no other id, its item's.
  [[nodiscard]] const std::string& id_of_call() const { return call_id.empty() ? id : call_id; }
  // The tool's name; of a tool of the provider's without one, from its type.
  [[nodiscard]] std::string name_of_call() const;
};

Item read_item(JsonReader& reader, JsonValue value);

ToolCall call_of(const Item& item);
// An item that is no message as a part of one.
ContentPart part_of(Item&& item);
// An item of a request as a message.
Message message_of(Item&& item);

}  // namespace oisp::ai
