// Anthropic Messages: https://docs.anthropic.com/en/api/messages
#include <algorithm>
#include <array>

#include "collector/ai/anthropic-block.h"
#include "collector/ai/dialect.h"
#include "collector/ai/json-text.h"
#include "collector/ai/usage.h"

namespace oisp::ai {
namespace {

constexpr std::array kParameters = std::to_array<ParameterKey>({
    {"max_tokens", &Parameters::max_tokens},
    {"temperature", &Parameters::temperature},
    {"top_p", &Parameters::top_p},
    {"top_k", &Parameters::top_k},
    {"stop_sequences", &Parameters::stop},
    {"thinking", &Parameters::thinking},
});

constexpr std::array kOutputParameters = std::to_array<ParameterKey>({
    {"effort", &Parameters::reasoning_effort},
    {"format", &Parameters::response_format},
});

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

void read_usage_of(JsonReader& reader, JsonValue value, Response& response) {
  read_usage(reader, value,
             {{{}, "input_tokens", &Usage::prompt_tokens},
              {{}, "output_tokens", &Usage::completion_tokens},
              {{}, "cache_read_input_tokens", &Usage::cached_tokens},
              {{}, "cache_creation_input_tokens", &Usage::cache_creation_tokens},
              {{}, "cache_creation", &Usage::cache_creation},
              {{}, "server_tool_use", &Usage::server_tool_use},
              {"output_tokens_details", "thinking_tokens", &Usage::reasoning_tokens}},
             response.usage, [&](std::string_view key, JsonValue field) {
               if (key == "service_tier") {
                 (void)reader.read_text(field, response.service_tier);
               }
             });
}

// What the blocks of an answer say, as its one choice.
void take_blocks(JsonReader& reader, std::vector<Block>&& blocks, std::string&& role, std::string&& stop_reason,
                 Response& response) {
  Choice choice;
  choice.message.role = std::move(role);
  choice.finish_reason = std::move(stop_reason);
  for (Block& block : blocks) {
    const ContentPart& part = block.part;
    if (part.type == "text" && part.text.has_value()) {
      append_line(reader, choice.message.content, *part.text);
    } else if (part.type == "thinking" && part.text.has_value()) {
      append_line(reader, response.thinking, *part.text);
    } else if (is_call(part) && response.tool_calls.size() < kMostToolCalls) {
      response.tool_calls.push_back({.id = part.tool_call_id,
                                     .name = part.name,
                                     .type = part.type,
                                     .arguments_json = part.arguments_json,
                                     .server = block.server});
    }
    choice.message.parts.push_back(std::move(block.part));
  }
  if (choice.message.content.has_value()) {
    choice.message.content_length = static_cast<std::int64_t>(choice.message.content->size());
  }
  response.finish_reason = choice.finish_reason;
  response.choices.push_back(std::move(choice));
}

// A block that comes in deltas.
struct BlockDeltas {
  std::int64_t index = 0;
  Block block;
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
  } else if (message.role == "system") {
    request.has_system_prompt = true;
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
      read_tools(reader, field, read_tool, request);
    } else if (key == "tool_choice") {
      reader.read_raw(field, request.tool_choice_json);
    } else if (key == "output_config") {
      reader.each_field(field, [&](std::string_view name, JsonValue value) {
        (void)read_parameter(reader, kOutputParameters, name, value, request.parameters);
      });
    } else {
      (void)read_parameter(reader, kParameters, key, field, request.parameters);
    }
  });
  if (request.has_messages || request.system.has_value()) {
    request.has_system_prompt = request.system.has_value() || request.has_system_prompt.value_or(false);
  }
}

void AnthropicMessagesDecoder::read_response(JsonReader& reader, JsonObject& body, Response& response) {
  std::vector<Block> blocks;
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
      read_usage_of(reader, field, response);
    } else if (key == "input_tokens") {
      reader.read_raw(field, response.usage.prompt_tokens);  // all that count_tokens answers
    } else if (key == "error") {
      read_error(reader, field, response.error);
    } else if (key == "content") {
      has_content = reader.each_element(field, [&](JsonValue element) {
        if (reader.afford_item()) {
          blocks.push_back(read_block(reader, element));
        }
      });
    }
  });
  if (has_content) {
    take_blocks(reader, std::move(blocks), std::move(role), std::move(stop_reason), response);
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
      read_usage_of(reader, field, streamed_);
    }
  });
}

void AnthropicMessagesDecoder::on_message_delta(JsonReader& reader, JsonObject& event) {
  (void)reader.restart(event);  // its type was looked up before
  reader.each_field(event, [&](std::string_view key, JsonValue field) {
    if (key == "usage") {
      read_usage_of(reader, field, streamed_);
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
  block->block = read_block(reader, start);
  // An empty text block is no token; the name of a tool is.
  step.token = is_call(block->block.part) || !block->block.part.text.value_or("").empty();
}

void AnthropicMessagesDecoder::on_block_delta(JsonReader& reader, JsonObject& event, StreamStep& step) {
  BlockDeltas* const block = find_block(reader, event);
  JsonValue delta;
  if (block == nullptr || !reader.find(event, "delta", delta)) {
    return;
  }
  ContentPart& part = block->block.part;
  reader.each_field(delta, [&](std::string_view key, JsonValue field) {
    if (key == "text" || key == "thinking") {
      if (!part.text.has_value()) {
        part.text.emplace();
      }
      step.token = step.token || JsonReader::text_size(field) > 0;
      (void)reader.append_text(field, *part.text);
      if (part.type.empty()) {
        part.type = key;  // the block's start was lost
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
  std::vector<Block> blocks;
  std::stable_sort(blocks_.begin(), blocks_.end(),
                   [](const BlockDeltas& a, const BlockDeltas& b) { return a.index < b.index; });
  for (BlockDeltas& deltas : blocks_) {
    if (!deltas.input.empty()) {
      // Of a stream that broke off, what came: as a string, for it is no JSON.
      deltas.block.part.arguments_json = is_json(deltas.input) ? one_line(deltas.input) : quote_json(deltas.input);
    }
    blocks.push_back(std::move(deltas.block));
  }
  const bool finished = !stop_reason_.empty();
  take_blocks(reader, std::move(blocks), std::move(role_), std::move(stop_reason_), response);
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
