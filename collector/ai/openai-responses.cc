// OpenAI Responses: https://platform.openai.com/docs/api-reference/responses
#include <algorithm>
#include <array>
#include <utility>

#include "collector/ai/dialect.h"
#include "collector/ai/json-text.h"
#include "collector/ai/openai-item.h"
#include "collector/ai/openai-message.h"
#include "collector/ai/usage.h"

namespace oisp::ai {
namespace {

constexpr std::array kParameters = std::to_array<ParameterKey>({
    {"temperature", &Parameters::temperature},
    {"top_p", &Parameters::top_p},
    {"max_output_tokens", &Parameters::max_tokens},
    {"parallel_tool_calls", &Parameters::parallel_tool_calls},
    {"store", &Parameters::store},
});

// A text of an item that comes in deltas.
struct TextDeltas {
  std::string_view type;  // of the part that it is
  std::int64_t index = 0;
  std::string text;
};

// An item that comes in deltas, until it comes whole.
struct ItemDeltas {
  std::int64_t index = 0;
  bool whole = false;
  Item item;
  std::vector<TextDeltas> texts;
  std::string arguments;  // between the quotes, as sent

  [[nodiscard]] std::size_t text_bytes() const {
    std::size_t sum = arguments.size();
    for (const TextDeltas& one : texts) {
      sum += one.text.size();
    }
    return sum;
  }
};

// Which events bring pieces of which text. Those of arguments have no type.
struct DeltaEvent {
  std::string_view event;
  std::string_view type;
  std::string_view index;
};
constexpr std::array kDeltaEvents = std::to_array<DeltaEvent>({
    {"response.output_text.delta", "output_text", "content_index"},
    {"response.function_call_arguments.delta", {}, {}},
    {"response.reasoning_summary_text.delta", "summary_text", "summary_index"},
    {"response.reasoning_text.delta", "reasoning_text", "content_index"},
    {"response.refusal.delta", "refusal", "content_index"},
    {"response.custom_tool_call_input.delta", {}, {}},
    {"response.mcp_call_arguments.delta", {}, {}},
    {"response.code_interpreter_call_code.delta", {}, {}},
});

class OpenAiResponsesDecoder final : public DialectDecoder {
 public:
  void read_request(JsonReader& reader, JsonObject& body, Request& request) override;
  void read_response(JsonReader& reader, JsonObject& body, Response& response) override;
  StreamStep on_event(JsonReader& reader, std::string_view data) override;
  bool end_stream(JsonReader& reader, Response& response) override;
  [[nodiscard]] std::string_view finish_word(std::string_view own) const override;

 private:
  void read_input(JsonReader& reader, JsonValue value, Request& request);
  void read_settings(JsonReader& reader, std::string_view key, JsonValue field, Request& request);
  // Of the answer itself, and of the answer as events repeat it.
  void read_answer_field(JsonReader& reader, std::string_view key, JsonValue field, Response& response);
  void on_answer(JsonReader& reader, JsonObject& event);
  void on_item(JsonReader& reader, JsonObject& event, bool whole, StreamStep& step);
  void on_delta(JsonReader& reader, JsonObject& event, const DeltaEvent& delta, StreamStep& step);
  void on_error(JsonReader& reader, JsonObject& event);
  void take_whole(JsonReader& reader, ItemDeltas& deltas, JsonValue value);
  ItemDeltas* find_item(JsonReader& reader, JsonObject& event);
  ItemDeltas* item_at(JsonReader& reader, std::int64_t index);
  void finish(JsonReader& reader, Response& response);

  Response streamed_;
  std::string status_;
  std::string reason_;  // why it is incomplete
  std::vector<ItemDeltas> items_;
  bool asks_program_ = false;  // for a tool's result
};

// --- the request

void OpenAiResponsesDecoder::read_input(JsonReader& reader, JsonValue value, Request& request) {
  Message alone;
  if (reader.read_text(value, alone.content)) {
    alone.role = "user";
    alone.content_length = static_cast<std::int64_t>(alone.content->size());
    request.has_messages = true;
    request.messages_count = 1;
    request.messages.push_back(std::move(alone));
    return;
  }
  ToolResults results(request);
  request.has_messages = reader.each_element(value, [&](JsonValue element) {
    ++request.messages_count;
    if (!reader.afford_item()) {
      return;
    }
    Item item = read_item(reader, element);
    request.image_count += item.images;
    const ItemKind kind = item.kind();
    const bool failed = item.failed;
    if (kind == ItemKind::call) {
      results.on_answer();
      results.on_call(item.id_of_call(), item.name_of_call());
    } else if (kind == ItemKind::reasoning || item.message.role == "assistant") {
      results.on_answer();
    } else if (item.message.role == "system" || item.message.role == "developer") {
      request.has_system_prompt = true;
    }
    const Message& message = request.messages.emplace_back(message_of(std::move(item)));
    if (kind == ItemKind::result) {
      results.add({.call_id = message.tool_call_id,
                   .name = {},
                   .success = failed ? std::optional(false) : std::nullopt,
                   .result = message.content.value_or(""),
                   .size_bytes = std::max<std::int64_t>(message.content_length, 0) + data_bytes(message)});
    }
  });
  results.finish();
}

void OpenAiResponsesDecoder::read_settings(JsonReader& reader, std::string_view key, JsonValue field,
                                           Request& request) {
  Parameters& parameters = request.parameters;
  if (key == "reasoning") {
    reader.each_field(field, [&](std::string_view name, JsonValue value) {
      if (name == "effort") {
        reader.read_raw(value, parameters.reasoning_effort);
      }
    });
  } else if (key == "text") {
    reader.each_field(field, [&](std::string_view name, JsonValue value) {
      if (name == "format") {
        reader.read_raw(value, parameters.response_format);
      }
    });
  } else if (key == "conversation" && !reader.read_text(field, request.conversation_id)) {
    reader.each_field(field, [&](std::string_view name, JsonValue value) {
      if (name == "id") {
        (void)reader.read_text(value, request.conversation_id);
      }
    });
  } else {
    (void)read_parameter(reader, kParameters, key, field, parameters);
  }
}

void OpenAiResponsesDecoder::read_request(JsonReader& reader, JsonObject& body, Request& request) {
  reader.each_field(body, [&](std::string_view key, JsonValue field) {
    if (key == "model") {
      (void)reader.read_text(field, request.model);
    } else if (key == "stream") {
      reader.read_bool(field, request.streaming);
    } else if (key == "input") {
      read_input(reader, field, request);
    } else if (key == "instructions") {
      (void)reader.read_text(field, request.system);
    } else if (key == "previous_response_id") {
      (void)reader.read_text(field, request.previous_response_id);
    } else if (key == "tools") {
      read_tools(reader, field, read_tool, request);
    } else if (key == "tool_choice") {
      reader.read_raw(field, request.tool_choice_json);
    } else {
      read_settings(reader, key, field, request);
    }
  });
  if (request.system.has_value()) {
    request.has_system_prompt = true;
  } else if (request.has_messages && !request.has_system_prompt.has_value()) {
    request.has_system_prompt = false;
  }
}

// --- the answer

void OpenAiResponsesDecoder::read_answer_field(JsonReader& reader, std::string_view key, JsonValue field,
                                               Response& response) {
  if (key == "id") {
    (void)reader.read_text(field, response.id);
  } else if (key == "model") {
    (void)reader.read_text(field, response.model);
  } else if (key == "status") {
    (void)reader.read_text(field, status_);
  } else if (key == "service_tier") {
    (void)reader.read_text(field, response.service_tier);
  } else if (key == "error") {
    read_error(reader, field, response.error);
  } else if (key == "usage") {
    read_usage(reader, field,
               {{{}, "input_tokens", &Usage::prompt_tokens},
                {{}, "output_tokens", &Usage::completion_tokens},
                {{}, "total_tokens", &Usage::total_tokens},
                {"input_tokens_details", "cached_tokens", &Usage::cached_tokens},
                {"input_tokens_details", "cache_write_tokens", &Usage::cache_creation_tokens},
                {"output_tokens_details", "reasoning_tokens", &Usage::reasoning_tokens}},
               response.usage);
  } else if (key == "input_tokens") {
    reader.read_raw(field, response.usage.prompt_tokens);  // all that counting them answers
  } else if (key == "incomplete_details") {
    reader.each_field(field, [&](std::string_view name, JsonValue value) {
      if (name == "reason") {
        (void)reader.read_text(value, reason_);
      }
    });
  } else if (key == "output") {
    std::int64_t index = 0;
    (void)reader.each_element(field, [&](JsonValue element) {
      ItemDeltas* const deltas = item_at(reader, index++);
      if (deltas != nullptr && !deltas->whole) {
        take_whole(reader, *deltas, element);
      }
    });
  }
}

void OpenAiResponsesDecoder::read_response(JsonReader& reader, JsonObject& body, Response& response) {
  reader.each_field(body,
                    [&](std::string_view key, JsonValue field) { read_answer_field(reader, key, field, response); });
  finish(reader, response);
}

ItemDeltas* OpenAiResponsesDecoder::item_at(JsonReader& reader, std::int64_t index) {
  const auto found =
      std::find_if(items_.rbegin(), items_.rend(), [&](const ItemDeltas& one) { return one.index == index; });
  if (found != items_.rend()) {
    return &*found;
  }
  if (items_.size() >= kMostBlocks || !reader.afford_item()) {
    reader.add_missing(Missing::body_too_large);
    return nullptr;
  }
  items_.emplace_back().index = index;
  return &items_.back();
}

ItemDeltas* OpenAiResponsesDecoder::find_item(JsonReader& reader, JsonObject& event) {
  std::int64_t index = 0;
  JsonValue field;
  if (reader.find(event, "output_index", field)) {
    reader.read_index(field, index);
  }
  return item_at(reader, index);
}

// The item takes the place of its deltas.
void OpenAiResponsesDecoder::take_whole(JsonReader& reader, ItemDeltas& deltas, JsonValue value) {
  reader.give_back(deltas.text_bytes());
  deltas.texts.clear();
  deltas.arguments.clear();
  deltas.item = read_item(reader, value);
  deltas.whole = true;
}

StreamStep OpenAiResponsesDecoder::on_event(JsonReader& reader, std::string_view data) {
  StreamStep step;
  if (data == "[DONE]") {  // of servers that end every stream so
    return step;
  }
  auto event = reader.open_event(data);
  JsonValue type_field;
  std::string_view type;
  if (!event.has_value() || !reader.find(*event, "type", type_field) || !reader.view_text(type_field, type)) {
    reader.add_missing(Missing::malformed);
    return step;
  }
  if (const auto* const delta = std::ranges::find(kDeltaEvents, type, &DeltaEvent::event);
      delta != kDeltaEvents.end()) {
    on_delta(reader, *event, *delta, step);
  } else if (type == "response.output_item.added" || type == "response.output_item.done") {
    on_item(reader, *event, type.ends_with("done"), step);
  } else if (type == "error") {
    on_error(reader, *event);
  } else if (type == "response.created" || type == "response.in_progress" || type == "response.queued") {
    on_answer(reader, *event);
  } else if (type == "response.completed" || type == "response.incomplete" || type == "response.failed" ||
             type == "response.cancelled") {
    on_answer(reader, *event);
    status_ = type.substr(type.find('.') + 1);
    step.end = true;
  }
  return step;
}

void OpenAiResponsesDecoder::on_answer(JsonReader& reader, JsonObject& event) {
  JsonValue answer;
  if (reader.find(event, "response", answer)) {
    reader.each_field(answer,
                      [&](std::string_view key, JsonValue field) { read_answer_field(reader, key, field, streamed_); });
  }
}

void OpenAiResponsesDecoder::on_item(JsonReader& reader, JsonObject& event, bool whole, StreamStep& step) {
  ItemDeltas* const deltas = find_item(reader, event);
  JsonValue value;
  if (deltas == nullptr || deltas->whole || !reader.find(event, "item", value)) {
    return;
  }
  if (whole) {
    take_whole(reader, *deltas, value);
  } else {
    deltas->item = read_item(reader, value);
  }
  step.token = deltas->item.kind() == ItemKind::call;  // the name of a tool is one
}

void OpenAiResponsesDecoder::on_delta(JsonReader& reader, JsonObject& event, const DeltaEvent& delta,
                                      StreamStep& step) {
  ItemDeltas* const deltas = find_item(reader, event);
  std::int64_t index = 0;
  JsonValue field;
  if (deltas == nullptr || deltas->whole) {
    return;
  }
  if (!delta.index.empty() && reader.find(event, delta.index, field)) {
    reader.read_index(field, index);
  }
  if (!reader.find(event, "delta", field)) {
    return;
  }
  step.token = JsonReader::text_size(field) > 0;
  if (delta.type.empty()) {
    (void)reader.append_escaped(field, deltas->arguments);
    return;
  }
  auto& texts = deltas->texts;
  auto at = std::find_if(texts.rbegin(), texts.rend(),
                         [&](const TextDeltas& one) { return one.index == index && one.type == delta.type; });
  if (at == texts.rend()) {
    if (!reader.afford_item()) {
      return;
    }
    texts.push_back({.type = delta.type, .index = index, .text = {}});
    at = texts.rbegin();
  }
  (void)reader.append_text(field, at->text);
}

// {"type": "error", "code", "message"}; some have the error in an object.
void OpenAiResponsesDecoder::on_error(JsonReader& reader, JsonObject& event) {
  Error error;
  (void)reader.restart(event);
  reader.each_field(event, [&](std::string_view key, JsonValue field) {
    if (key == "error") {
      read_error(reader, field, streamed_.error);
    } else if (key == "message") {
      (void)reader.read_text(field, error.message);
    } else if (key == "code") {
      reader.read_raw(field, error.code_json);
    }
  });
  if (!streamed_.error.has_value()) {
    streamed_.error = std::move(error);
  }
}

// --- what it comes to

// An item of which only deltas came.
void put_together(JsonReader& reader, ItemDeltas& deltas) {
  Item& item = deltas.item;
  if (item.type.empty() && !deltas.texts.empty()) {  // its beginning was lost
    const bool words = deltas.texts.front().type == "output_text" || deltas.texts.front().type == "refusal";
    item.type = words ? "message" : "reasoning";
  }
  if (!deltas.arguments.empty()) {
    item.arguments_json = "\"" + deltas.arguments + "\"";
  }
  for (TextDeltas& one : deltas.texts) {
    if (one.type != "refusal") {
      append_line(reader, item.message.content, one.text);
    }
    ContentPart part;
    part.type = one.type;
    part.text = std::move(one.text);
    item.message.parts.push_back(std::move(part));
  }
}

void OpenAiResponsesDecoder::finish(JsonReader& reader, Response& response) {
  std::ranges::stable_sort(items_, {}, &ItemDeltas::index);
  Choice choice;
  Message& message = choice.message;
  for (ItemDeltas& deltas : items_) {
    if (!deltas.whole) {
      put_together(reader, deltas);
    }
    Item& item = deltas.item;
    if (item.kind() == ItemKind::message) {
      message.role = item.message.role;
      if (item.message.content.has_value()) {
        append_line(reader, message.content, *item.message.content);
      }
      for (ContentPart& part : item.message.parts) {
        if (part.type == "refusal") {
          message.refusal = part.text;
        }
        message.parts.push_back(std::move(part));
      }
      continue;
    }
    if (item.kind() == ItemKind::reasoning && item.message.content.has_value()) {
      append_line(reader, response.thinking, *item.message.content);
    } else if (item.kind() == ItemKind::call && response.tool_calls.size() < kMostToolCalls) {
      response.tool_calls.push_back(call_of(item));
      asks_program_ = asks_program_ || !item.call_id.empty();
    }
    message.parts.push_back(part_of(std::move(item)));
  }
  if (message.content.has_value()) {
    message.content_length = static_cast<std::int64_t>(message.content->size());
  }
  response.finish_reason = reason_.empty() ? status_ : reason_;
  if (!items_.empty()) {
    message.role = message.role.empty() ? "assistant" : message.role;
    choice.finish_reason = response.finish_reason;
    response.choices.push_back(std::move(choice));
  }
  if (status_ == "failed" && !response.error.has_value()) {
    response.error.emplace();  // it says so, but not why
  }
}

bool OpenAiResponsesDecoder::end_stream(JsonReader& reader, Response& response) {
  response = std::move(streamed_);
  finish(reader, response);
  return !status_.empty() && status_ != "in_progress" && status_ != "queued";
}

std::string_view OpenAiResponsesDecoder::finish_word(std::string_view own) const {
  struct Word {
    std::string_view own;
    std::string_view ours;
  };
  constexpr std::array kWords =
      std::to_array<Word>({{"max_output_tokens", "length"}, {"content_filter", "content_filter"}, {"failed", "error"}});
  if (own == "completed") {
    return asks_program_ ? "tool_calls" : "stop";
  }
  const auto* const found = std::ranges::find(kWords, own, &Word::own);
  return found == kWords.end() ? "other" : found->ours;
}

}  // namespace

std::unique_ptr<DialectDecoder> make_openai_responses_decoder() { return std::make_unique<OpenAiResponsesDecoder>(); }

}  // namespace oisp::ai
