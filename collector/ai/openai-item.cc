#include "collector/ai/openai-item.h"

#include <algorithm>
#include <array>

#include "collector/ai/dialect.h"
#include "collector/ai/openai-message.h"

namespace oisp::ai {
namespace {

constexpr std::string_view kCall = "_call";
constexpr std::string_view kOutput = "_output";
constexpr std::size_t kLongestType = 64;  // a name made of it is one more copy

// What a call asks for: each kind of call has it under a name of its own.
constexpr std::array kArgumentKeys = std::to_array<std::string_view>(
    {"arguments", "input", "action", "actions", "queries", "code", "operation", "revised_prompt"});

void take_message(JsonReader& reader, JsonValue value, Item& item) {
  read_content(reader, value, item.message, item.images);
}

// One thing that a tool said: a text, or an object that has it somewhere.
void take_output_part(JsonReader& reader, JsonValue value, Item& item) {
  Message& message = item.message;
  std::string text;
  if (reader.read_text(value, text)) {
    append_line(reader, message.content, text);
    return;
  }
  ContentPart part;
  reader.each_field(value, [&](std::string_view key, JsonValue field) {
    if (key == "type") {
      (void)reader.read_text(field, part.type);
    } else if (key == "text" || key == "logs" || key == "stdout" || key == "stderr" || key == "title") {
      text.clear();
      if (reader.read_text(field, text) && !text.empty()) {
        append_line(reader, message.content, text);
      }
    } else if (key == "image_url" || key == "url" || key == "file_url" || key == "file_data") {
      read_url(reader, field, part);
    } else if (key == "filename" || key == "file_id") {
      (void)reader.read_text(field, part.name);
    }
  });
  item.images += part.type.find("image") != std::string::npos || part.type == "computer_screenshot" ? 1 : 0;
  if (!part.url.empty() || part.size_bytes >= 0 || !part.name.empty()) {
    message.parts.push_back(std::move(part));
  }
}

void take_output(JsonReader& reader, JsonValue value, Item& item) {
  const bool list = reader.each_element(value, [&](JsonValue element) {
    if (reader.afford_item()) {
      take_output_part(reader, element, item);
    }
  });
  if (!list) {
    take_output_part(reader, value, item);
  }
  if (item.message.content.has_value()) {
    item.message.content_length = static_cast<std::int64_t>(item.message.content->size());
  }
}

// Its summary, or its own text where the model gives it.
void take_reasoning(JsonReader& reader, JsonValue value, Item& item) {
  (void)reader.each_element(value, [&](JsonValue element) {
    const ContentPart part = read_part(reader, element);
    if (part.text.has_value()) {
      append_line(reader, item.message.content, *part.text);
    }
  });
}

void take_error(JsonReader& reader, JsonValue value, Item& item) {
  std::optional<Error> error;
  read_error(reader, value, error);
  if (error.has_value()) {
    item.failed = true;
    if (!error->message.empty()) {
      append_line(reader, item.message.content, error->message);
    }
  }
}

bool take_word(JsonReader& reader, std::string_view key, JsonValue field, Item& item) {
  struct Word {
    std::string_view key;
    std::string Item::*field;
  };
  constexpr std::array kWords = std::to_array<Word>({{"type", &Item::type},
                                                     {"id", &Item::id},
                                                     {"call_id", &Item::call_id},
                                                     {"approval_request_id", &Item::call_id},
                                                     {"server_label", &Item::server},
                                                     {"status", &Item::status}});
  const auto* const found = std::ranges::find(kWords, key, &Word::key);
  if (found == kWords.end()) {
    return false;
  }
  (void)reader.read_text(field, item.*(found->field));
  return true;
}

void take_field(JsonReader& reader, std::string_view key, JsonValue field, Item& item) {
  if (take_word(reader, key, field, item)) {
    return;
  }
  if (key == "role") {
    (void)reader.read_text(field, item.message.role);
  } else if (key == "name") {
    (void)reader.read_text(field, item.message.name);
  } else if (std::ranges::find(kArgumentKeys, key) != kArgumentKeys.end()) {
    reader.read_raw(field, item.arguments_json);
  } else if (key == "content") {
    take_message(reader, field, item);
  } else if (key == "summary") {
    take_reasoning(reader, field, item);
  } else if (key == "output" || key == "outputs" || key == "results") {
    take_output(reader, field, item);
  } else if (key == "result" || key == "encrypted_content") {
    if (JsonReader::is_string(field)) {
      item.data_bytes = static_cast<std::int64_t>(JsonReader::text_size(field));
    }
  } else if (key == "error") {
    take_error(reader, field, item);
  } else if (key == "approve") {
    reader.read_bool(field, item.approved);
  }
}

std::int64_t text_bytes(const Message& message) {
  return message.content.has_value() ? static_cast<std::int64_t>(message.content->size()) : 0;
}

}  // namespace

ItemKind Item::kind() const {
  const std::string_view word = type;
  if (word == "message" || (word.empty() && !message.role.empty())) {
    return ItemKind::message;
  }
  if (word == "reasoning") {
    return ItemKind::reasoning;
  }
  if (word.ends_with(kCall)) {
    return ItemKind::call;
  }
  return word.ends_with(kOutput) ? ItemKind::result : ItemKind::other;
}

std::string Item::name_of_call() const {
  if (!message.name.empty() || type == "function_call" || type == "custom_tool_call") {
    return message.name;
  }
  const bool known = type.ends_with(kCall) && type.size() <= kLongestType;
  return known ? type.substr(0, type.size() - kCall.size()) : std::string();
}

Item read_item(JsonReader& reader, JsonValue value) {
  Item item;
  reader.each_field(value, [&](std::string_view key, JsonValue field) { take_field(reader, key, field, item); });
  item.failed = item.failed || item.status == "failed";
  if (item.kind() == ItemKind::reasoning && !item.message.content.has_value()) {
    // Its own text, which was read as a message's parts are.
    for (const ContentPart& part : item.message.parts) {
      if (part.text.has_value()) {
        append_line(reader, item.message.content, *part.text);
      }
    }
  }
  return item;
}

ToolCall call_of(const Item& item) {
  return {.id = item.id_of_call(),
          .name = item.name_of_call(),
          .type = item.type,
          .arguments_json = item.arguments_json,
          .server = item.server};
}

ContentPart part_of(Item&& item) {
  ContentPart part;
  const bool call = item.kind() == ItemKind::call;
  part.type = item.type;
  part.tool_call_id = item.id_of_call();
  part.name = call ? item.name_of_call() : item.message.name;
  part.text = std::move(item.message.content);
  part.arguments_json = std::move(item.arguments_json);
  part.size_bytes = item.data_bytes;
  if (item.failed || item.approved.has_value()) {
    part.is_error = item.failed || !*item.approved;
  }
  return part;
}

Message message_of(Item&& item) {
  Message message;
  switch (item.kind()) {
    case ItemKind::message:
      return std::move(item.message);
    case ItemKind::call:
      message.role = "assistant";
      message.tool_calls.push_back(call_of(item));
      if (!item.message.content.has_value()) {
        return message;
      }
      item.arguments_json.clear();  // they are in the call
      break;
    case ItemKind::result:
      message = std::move(item.message);
      message.role = "tool";
      message.tool_call_id = item.id_of_call();
      message.content_length = text_bytes(message);
      return message;
    case ItemKind::reasoning:
      message.role = "assistant";
      break;
    case ItemKind::other:
      break;
  }
  message.parts.push_back(part_of(std::move(item)));
  return message;
}

}  // namespace oisp::ai
