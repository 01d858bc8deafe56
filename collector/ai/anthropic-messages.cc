// Anthropic Messages: https://docs.anthropic.com/en/api/messages
#include <algorithm>
#include <array>

#include "collector/ai/dialect.h"
#include "collector/ai/json-text.h"

namespace oisp::ai {
namespace {

struct RawField {
  std::string_view key;
  std::string Parameters::*field;
};
constexpr std::array kParameters = std::to_array<RawField>({
    {"max_tokens", &Parameters::max_tokens},
    {"temperature", &Parameters::temperature},
    {"top_p", &Parameters::top_p},
    {"top_k", &Parameters::top_k},
    {"stop_sequences", &Parameters::stop},
    {"thinking", &Parameters::thinking},
});

// A block's content that is itself text or blocks (a tool's result).
struct InnerContent {
  std::optional<std::string> text;
  std::int64_t data_bytes = 0;
  std::int32_t images = 0;
};

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

void read_inner(JsonReader& reader, JsonValue value, InnerContent& inner);

struct Block {
  ContentPart part;
  InnerContent inner;
};

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

Block read_block(JsonReader& reader, JsonValue value) {
  Block block;
  reader.each_field(value, [&](std::string_view key, JsonValue field) { read_block_field(reader, key, field, block); });
  if (block.part.type == "image") {
    ++block.inner.images;
  }
  if (block.inner.text.has_value() && !block.part.text.has_value()) {
    block.part.text = block.inner.text;
  }
  return block;
}

// Blocks within blocks end here: one level is what the API knows.
void read_inner(JsonReader& reader, JsonValue value, InnerContent& inner) {
  if (reader.read_text(value, inner.text)) {
    return;
  }
  (void)reader.each_element(value, [&](JsonValue element) {
    ContentPart part;
    reader.each_field(element, [&](std::string_view key, JsonValue field) {
      if (key == "type") {
        (void)reader.read_text(field, part.type);
      } else if (key == "text") {
        (void)reader.read_text(field, part.text);
      } else if (key == "source") {
        read_source(reader, field, part);
      }
    });
    inner.images += part.type == "image" ? 1 : 0;
    inner.data_bytes += std::max<std::int64_t>(part.size_bytes, 0);
    if (part.text.has_value()) {
      append_line(reader, inner.text, *part.text);
    }
  });
}

Tool read_tool(JsonReader& reader, JsonValue value) {
  Tool tool;
  reader.each_field(value, [&](std::string_view key, JsonValue field) {
    if (key == "name") {
      (void)reader.read_text(field, tool.name);
    } else if (key == "type") {
      (void)reader.read_text(field, tool.type);
    } else if (key == "description") {
      (void)reader.read_text(field, tool.description);
    }
  });
  return tool;
}

void read_usage(JsonReader& reader, JsonValue value, Response& response) {
  Usage& usage = response.usage;
  reader.each_field(value, [&](std::string_view key, JsonValue field) {
    if (key == "input_tokens") {
      reader.read_raw(field, usage.prompt_tokens);
    } else if (key == "output_tokens") {
      reader.read_raw(field, usage.completion_tokens);
    } else if (key == "cache_read_input_tokens") {
      reader.read_raw(field, usage.cached_tokens);
    } else if (key == "cache_creation_input_tokens") {
      reader.read_raw(field, usage.cache_creation_tokens);
    } else if (key == "service_tier") {
      (void)reader.read_text(field, response.service_tier);
    }
  });
}

// What the blocks of an answer say, as its one choice.
void take_blocks(JsonReader& reader, std::vector<ContentPart>&& parts, std::string&& role, std::string&& stop_reason,
                 Response& response) {
  Choice choice;
  choice.message.role = std::move(role);
  choice.finish_reason = std::move(stop_reason);
  for (const ContentPart& part : parts) {
    if (part.type == "text" && part.text.has_value()) {
      append_line(reader, choice.message.content, *part.text);
    } else if (part.type == "thinking" && part.text.has_value()) {
      append_line(reader, response.thinking, *part.text);
    } else if (part.type == "tool_use" && response.tool_calls.size() < kMostToolCalls) {
      response.tool_calls.push_back(
          {.id = part.tool_call_id, .name = part.name, .type = part.type, .arguments_json = part.arguments_json});
    }
  }
  if (choice.message.content.has_value()) {
    choice.message.content_length = static_cast<std::int64_t>(choice.message.content->size());
  }
  choice.message.parts = std::move(parts);
  response.finish_reason = choice.finish_reason;
  response.choices.push_back(std::move(choice));
}

// A block that comes in deltas.
struct BlockDeltas {
  std::int64_t index = 0;
  ContentPart part;
  std::string input;  // JSON in pieces
};

class AnthropicMessagesDecoder final : public DialectDecoder {
 public:
  void read_request(JsonReader& reader, JsonObject& body, Request& request) override;
  void read_response(JsonReader& reader, JsonObject& body, Response& response) override;
  StreamStep on_event(JsonReader& reader, std::string_view data) override;
  bool end_stream(JsonReader& reader, Response& response) override;
  [[nodiscard]] std::string_view finish_word(std::string_view own) const override;

 private:
  void read_messages(JsonReader& reader, JsonValue value, Request& request);
  Message read_message(JsonReader& reader, JsonValue value, Request& request, ToolResults& results);
  void on_message_start(JsonReader& reader, JsonObject& event);
  void on_message_delta(JsonReader& reader, JsonObject& event);
  void on_block_start(JsonReader& reader, JsonObject& event, StreamStep& step);
  void on_block_delta(JsonReader& reader, JsonObject& event, StreamStep& step);
  BlockDeltas* find_block(JsonReader& reader, JsonObject& event);

  Response streamed_;
  std::string role_;
  std::string stop_reason_;
  bool started_ = false;
  std::vector<BlockDeltas> blocks_;
};

Message AnthropicMessagesDecoder::read_message(JsonReader& reader, JsonValue value, Request& request,
                                               ToolResults& results) {
  Message message;
  std::vector<ToolResult> found;
  const auto take_block = [&](JsonValue element) {
    if (!reader.afford_item()) {
      return;
    }
    Block block = read_block(reader, element);
    ContentPart& part = block.part;
    request.image_count += block.inner.images;
    if (part.type == "text" && part.text.has_value()) {
      append_line(reader, message.content, *part.text);
    } else if (part.type == "tool_use") {
      results.on_call(part.tool_call_id, part.name);
    } else if (part.type == "tool_result") {
      std::optional<bool> success;
      if (part.is_error.has_value()) {
        success = !*part.is_error;
      }
      std::string result = part.text.value_or("");
      const auto size = static_cast<std::int64_t>(result.size()) + block.inner.data_bytes;
      found.push_back({.call_id = part.tool_call_id,
                       .name = {},
                       .success = success,
                       .result = std::move(result),
                       .size_bytes = size});
    }
    message.parts.push_back(std::move(part));
  };
  reader.each_field(value, [&](std::string_view key, JsonValue field) {
    if (key == "role") {
      (void)reader.read_text(field, message.role);
    } else if (key == "content" && !reader.read_text(field, message.content)) {
      (void)reader.each_element(field, take_block);
    }
  });
  if (message.content.has_value()) {
    message.content_length = static_cast<std::int64_t>(message.content->size());
  }
  if (message.role == "assistant") {
    results.on_answer();
  }
  for (ToolResult& result : found) {
    results.add(std::move(result));
  }
  return message;
}

void AnthropicMessagesDecoder::read_messages(JsonReader& reader, JsonValue value, Request& request) {
  ToolResults results(request);
  request.has_messages = reader.each_element(value, [&](JsonValue element) {
    ++request.messages_count;
    if (reader.afford_item()) {
      request.messages.push_back(read_message(reader, element, request, results));
    }
  });
  results.finish();
}

void AnthropicMessagesDecoder::read_request(JsonReader& reader, JsonObject& body, Request& request) {
  reader.each_field(body, [&](std::string_view key, JsonValue field) {
    if (key == "model") {
      (void)reader.read_text(field, request.model);
    } else if (key == "stream") {
      reader.read_bool(field, request.streaming);
    } else if (key == "messages") {
      read_messages(reader, field, request);
    } else if (key == "system") {
      InnerContent system;
      read_inner(reader, field, system);
      request.system = std::move(system.text);
    } else if (key == "tools") {
      request.has_tools = reader.each_element(field, [&](JsonValue element) {
        ++request.tools_count;
        if (reader.afford_item()) {
          request.tools.push_back(read_tool(reader, element));
        }
      });
    } else if (key == "tool_choice") {
      reader.read_raw(field, request.tool_choice_json);
    } else if (const auto* const found = std::find_if(kParameters.begin(), kParameters.end(),
                                                      [&](const RawField& one) { return one.key == key; });
               found != kParameters.end()) {
      reader.read_raw(field, request.parameters.*(found->field));
    }
  });
  if (request.has_messages || request.system.has_value()) {
    request.has_system_prompt = request.system.has_value();
  }
}

void AnthropicMessagesDecoder::read_response(JsonReader& reader, JsonObject& body, Response& response) {
  std::vector<ContentPart> parts;
  std::string role;
  std::string stop_reason;
  bool has_content = false;
  reader.each_field(body, [&](std::string_view key, JsonValue field) {
    if (key == "id") {
      (void)reader.read_text(field, response.id);
    } else if (key == "model") {
      (void)reader.read_text(field, response.model);
    } else if (key == "role") {
      (void)reader.read_text(field, role);
    } else if (key == "stop_reason") {
      (void)reader.read_text(field, stop_reason);
    } else if (key == "usage") {
      read_usage(reader, field, response);
    } else if (key == "error") {
      read_error(reader, field, response.error);
    } else if (key == "content") {
      has_content = reader.each_element(field, [&](JsonValue element) {
        if (reader.afford_item()) {
          parts.push_back(read_block(reader, element).part);
        }
      });
    }
  });
  if (has_content) {
    take_blocks(reader, std::move(parts), std::move(role), std::move(stop_reason), response);
  }
}

StreamStep AnthropicMessagesDecoder::on_event(JsonReader& reader, std::string_view data) {
  StreamStep step;
  auto event = reader.open_event(data);
  JsonValue type_field;
  std::string_view type;
  if (!event.has_value() || !reader.find(*event, "type", type_field) || !reader.view_text(type_field, type)) {
    reader.add_missing(Missing::malformed);
    return step;
  }
  if (type == "content_block_delta") {
    on_block_delta(reader, *event, step);
  } else if (type == "content_block_start") {
    on_block_start(reader, *event, step);
  } else if (type == "message_start") {
    on_message_start(reader, *event);
  } else if (type == "message_delta") {
    on_message_delta(reader, *event);
  } else if (type == "message_stop") {
    step.end = true;
  } else if (type == "error") {
    JsonValue error;
    if (reader.find(*event, "error", error)) {
      read_error(reader, error, streamed_.error);
    }
  }
  return step;
}

void AnthropicMessagesDecoder::on_message_start(JsonReader& reader, JsonObject& event) {
  started_ = true;
  JsonValue message;
  if (!reader.find(event, "message", message)) {
    return;
  }
  reader.each_field(message, [&](std::string_view key, JsonValue field) {
    if (key == "id") {
      (void)reader.read_text(field, streamed_.id);
    } else if (key == "model") {
      (void)reader.read_text(field, streamed_.model);
    } else if (key == "role") {
      (void)reader.read_text(field, role_);
    } else if (key == "usage") {
      read_usage(reader, field, streamed_);
    }
  });
}

void AnthropicMessagesDecoder::on_message_delta(JsonReader& reader, JsonObject& event) {
  (void)reader.restart(event);  // its type was looked up before
  reader.each_field(event, [&](std::string_view key, JsonValue field) {
    if (key == "usage") {
      read_usage(reader, field, streamed_);
    } else if (key == "delta") {
      reader.each_field(field, [&](std::string_view name, JsonValue value) {
        if (name == "stop_reason") {
          (void)reader.read_text(value, stop_reason_);
        }
      });
    }
  });
}

BlockDeltas* AnthropicMessagesDecoder::find_block(JsonReader& reader, JsonObject& event) {
  std::int64_t index = 0;
  JsonValue field;
  if (reader.find(event, "index", field)) {
    reader.read_index(field, index);
  }
  const auto found =
      std::find_if(blocks_.rbegin(), blocks_.rend(), [&](const BlockDeltas& one) { return one.index == index; });
  if (found != blocks_.rend()) {
    return &*found;
  }
  if (blocks_.size() >= kMostBlocks) {
    reader.add_missing(Missing::body_too_large);
    return nullptr;
  }
  blocks_.emplace_back().index = index;
  return &blocks_.back();
}

void AnthropicMessagesDecoder::on_block_start(JsonReader& reader, JsonObject& event, StreamStep& step) {
  BlockDeltas* const block = find_block(reader, event);
  JsonValue start;
  if (block == nullptr || !reader.find(event, "content_block", start)) {
    return;
  }
  block->part = read_block(reader, start).part;
  // An empty text block is no token; the name of a tool is.
  step.token = block->part.type == "tool_use" || !block->part.text.value_or("").empty();
}

void AnthropicMessagesDecoder::on_block_delta(JsonReader& reader, JsonObject& event, StreamStep& step) {
  BlockDeltas* const block = find_block(reader, event);
  JsonValue delta;
  if (block == nullptr || !reader.find(event, "delta", delta)) {
    return;
  }
  reader.each_field(delta, [&](std::string_view key, JsonValue field) {
    if (key == "text" || key == "thinking") {
      if (!block->part.text.has_value()) {
        block->part.text.emplace();
      }
      step.token = step.token || JsonReader::text_size(field) > 0;
      (void)reader.append_text(field, *block->part.text);
      if (block->part.type.empty()) {
        block->part.type = key;  // the block's start was lost
      }
    } else if (key == "partial_json") {
      step.token = true;
      (void)reader.append_text(field, block->input);
    }
  });
}

bool AnthropicMessagesDecoder::end_stream(JsonReader& reader, Response& response) {
  response = std::move(streamed_);
  if (!started_ && blocks_.empty() && stop_reason_.empty()) {
    return false;
  }
  std::vector<ContentPart> parts;
  std::stable_sort(blocks_.begin(), blocks_.end(),
                   [](const BlockDeltas& a, const BlockDeltas& b) { return a.index < b.index; });
  for (BlockDeltas& block : blocks_) {
    if (!block.input.empty()) {
      // Of a stream that broke off, what came: as a string, for it is no JSON.
      block.part.arguments_json = is_json(block.input) ? one_line(block.input) : quote_json(block.input);
    }
    parts.push_back(std::move(block.part));
  }
  const bool finished = !stop_reason_.empty();
  take_blocks(reader, std::move(parts), std::move(role_), std::move(stop_reason_), response);
  return finished;
}

std::string_view AnthropicMessagesDecoder::finish_word(std::string_view own) const {
  struct Word {
    std::string_view own;
    std::string_view ours;
  };
  constexpr std::array kWords = std::to_array<Word>({{"end_turn", "stop"},
                                                     {"stop_sequence", "stop"},
                                                     {"max_tokens", "length"},
                                                     {"model_context_window_exceeded", "length"},
                                                     {"tool_use", "tool_calls"},
                                                     {"refusal", "content_filter"}});
  const auto* const found =
      std::find_if(kWords.begin(), kWords.end(), [&](const Word& word) { return word.own == own; });
  return found == kWords.end() ? "other" : found->ours;
}

}  // namespace

std::unique_ptr<DialectDecoder> make_anthropic_messages_decoder() {
  return std::make_unique<AnthropicMessagesDecoder>();
}

}  // namespace oisp::ai
