// OpenAI Chat Completions, and what many other providers speak of it:
// https://platform.openai.com/docs/api-reference/chat
#include <algorithm>
#include <array>

#include "collector/ai/dialect.h"
#include "collector/ai/openai-message.h"

namespace oisp::ai {
namespace {

constexpr std::array kParameters = std::to_array<ParameterKey>({
    {"temperature", &Parameters::temperature},
    {"top_p", &Parameters::top_p},
    {"top_k", &Parameters::top_k},
    {"max_tokens", &Parameters::max_tokens},
    {"max_completion_tokens", &Parameters::max_completion_tokens},
    {"frequency_penalty", &Parameters::frequency_penalty},
    {"presence_penalty", &Parameters::presence_penalty},
    {"stop", &Parameters::stop},
    {"seed", &Parameters::seed},
    {"n", &Parameters::n},
    {"thinking", &Parameters::thinking},
    {"reasoning_effort", &Parameters::reasoning_effort},
    {"response_format", &Parameters::response_format},
    {"reasoning", &Parameters::reasoning},
    {"parallel_tool_calls", &Parameters::parallel_tool_calls},
    {"store", &Parameters::store},
});

// What the choices say of the answer as a whole.
void finish_response(Response& response) {
  std::stable_sort(response.choices.begin(), response.choices.end(),
                   [](const Choice& a, const Choice& b) { return a.index < b.index; });
  for (const Choice& choice : response.choices) {
    for (const ToolCall& call : choice.message.tool_calls) {
      if (response.tool_calls.size() < kMostToolCalls) {
        response.tool_calls.push_back(call);
      }
    }
  }
  if (!response.choices.empty()) {
    response.finish_reason = response.choices.front().finish_reason;
  }
}

// A tool call that comes in deltas.
struct ToolDeltas {
  std::int64_t index = 0;
  ToolCall call;
  std::string arguments;  // between the quotes, as sent
};

struct ChoiceDeltas {
  Choice choice;
  std::optional<std::string> thinking;
  std::vector<ToolDeltas> tools;
};

// Finds by index; the last one is nearly always the one. Null: too many.
template <typename Item, typename Index>
Item* find_or_add(std::vector<Item>& items, std::size_t most, const Index& is_it) {
  const auto found = std::find_if(items.rbegin(), items.rend(), is_it);
  if (found != items.rend()) {
    return &*found;
  }
  return items.size() < most ? &items.emplace_back() : nullptr;
}

class OpenAiChatDecoder final : public DialectDecoder {
 public:
  void read_request(JsonReader& reader, JsonObject& body, Request& request) override;
  void read_response(JsonReader& reader, JsonObject& body, Response& response) override;
  StreamStep on_event(JsonReader& reader, std::string_view data) override;
  bool end_stream(JsonReader& reader, Response& response) override;
  [[nodiscard]] std::string_view finish_word(std::string_view own) const override;

 private:
  void read_messages(JsonReader& reader, JsonValue value, Request& request);
  void read_choice(JsonReader& reader, JsonValue value, Response& response);
  void on_choice(JsonReader& reader, JsonObject& choice, StreamStep& step);
  void on_delta(JsonReader& reader, JsonValue value, ChoiceDeltas& deltas, StreamStep& step);
  void on_tool_delta(JsonReader& reader, JsonObject& delta, ChoiceDeltas& deltas);
  static void on_function_delta(JsonReader& reader, JsonValue value, ToolDeltas& tool);

  Response streamed_;
  std::vector<ChoiceDeltas> choices_;
};

void OpenAiChatDecoder::read_messages(JsonReader& reader, JsonValue value, Request& request) {
  ToolResults results(request);
  std::optional<std::string> thinking;
  request.has_messages = reader.each_element(value, [&](JsonValue element) {
    ++request.messages_count;
    if (!reader.afford_item()) {
      return;
    }
    const Message& message =
        request.messages.emplace_back(read_message(reader, element, request.image_count, thinking));
    if (message.role == "assistant") {
      results.on_answer();
      for (const ToolCall& call : message.tool_calls) {
        results.on_call(call.id, call.name);
      }
    } else if (message.role == "tool" || message.role == "function") {
      const std::int64_t size = std::max<std::int64_t>(message.content_length, 0) + data_bytes(message);
      results.add({.call_id = message.tool_call_id,
                   .name = message.name,
                   .success = {},
                   .result = message.content.value_or(""),
                   .size_bytes = size});
    }
    if (message.role == "system" || message.role == "developer") {
      request.has_system_prompt = true;
    }
  });
  if (request.has_messages && !request.has_system_prompt.has_value()) {
    request.has_system_prompt = false;
  }
  results.finish();
}

void OpenAiChatDecoder::read_request(JsonReader& reader, JsonObject& body, Request& request) {
  reader.each_field(body, [&](std::string_view key, JsonValue field) {
    if (key == "model") {
      (void)reader.read_text(field, request.model);
    } else if (key == "stream") {
      reader.read_bool(field, request.streaming);
    } else if (key == "messages") {
      read_messages(reader, field, request);
    } else if (key == "tools" || key == "functions") {
      read_tools(reader, field, read_tool, request);
      for (Tool& tool : request.tools) {
        tool.type = key == "functions" ? "function" : tool.type;
      }
    } else if (key == "tool_choice" || key == "function_call") {
      reader.read_raw(field, request.tool_choice_json);
    } else {
      (void)read_parameter(reader, kParameters, key, field, request.parameters);
    }
  });
}

void OpenAiChatDecoder::read_choice(JsonReader& reader, JsonValue value, Response& response) {
  if (response.choices.size() >= kMostChoices) {
    reader.add_missing(Missing::body_too_large);
    return;
  }
  Choice choice;
  choice.index = static_cast<std::int32_t>(response.choices.size());
  std::optional<std::string> thinking;
  std::int32_t images = 0;
  reader.each_field(value, [&](std::string_view key, JsonValue field) {
    if (key == "index") {
      std::int64_t index = choice.index;
      reader.read_index(field, index);
      choice.index = static_cast<std::int32_t>(std::clamp<std::int64_t>(index, 0, INT32_MAX));
    } else if (key == "message") {
      choice.message = read_message(reader, field, images, thinking);
    } else if (key == "finish_reason") {
      (void)reader.read_text(field, choice.finish_reason);
    }
  });
  add_thinking(reader, response, thinking);
  response.choices.push_back(std::move(choice));
}

void OpenAiChatDecoder::read_response(JsonReader& reader, JsonObject& body, Response& response) {
  reader.each_field(body, [&](std::string_view key, JsonValue field) {
    if (key == "choices") {
      (void)reader.each_element(field, [&](JsonValue element) { read_choice(reader, element, response); });
    } else {
      (void)read_answer_field(reader, key, field, response);
    }
  });
  finish_response(response);
}

StreamStep OpenAiChatDecoder::on_event(JsonReader& reader, std::string_view data) {
  StreamStep step;
  if (data == "[DONE]") {
    step.end = true;
    return step;
  }
  auto event = reader.open_event(data);
  if (!event.has_value()) {
    return step;
  }
  reader.each_field(*event, [&](std::string_view key, JsonValue field) {
    if (key == "choices") {
      (void)reader.each_element(field, [&](JsonValue element) {
        JsonObject choice;
        if (reader.enter(element, choice)) {
          on_choice(reader, choice, step);
        }
      });
    } else {
      (void)read_answer_field(reader, key, field, streamed_);
    }
  });
  return step;
}

void OpenAiChatDecoder::on_choice(JsonReader& reader, JsonObject& choice, StreamStep& step) {
  std::int64_t index = 0;
  JsonValue field;
  if (reader.find(choice, "index", field)) {
    reader.read_index(field, index);
  }
  ChoiceDeltas* const deltas =
      find_or_add(choices_, kMostChoices, [&](const ChoiceDeltas& one) { return one.choice.index == index; });
  if (deltas == nullptr || index < 0 || index > INT32_MAX) {
    reader.add_missing(Missing::body_too_large);
    return;
  }
  deltas->choice.index = static_cast<std::int32_t>(index);
  if (reader.find(choice, "delta", field)) {
    on_delta(reader, field, *deltas, step);
  }
  if (reader.find(choice, "finish_reason", field)) {
    (void)reader.read_text(field, deltas->choice.finish_reason);
  }
}

void OpenAiChatDecoder::on_delta(JsonReader& reader, JsonValue value, ChoiceDeltas& deltas, StreamStep& step) {
  Message& message = deltas.choice.message;
  const auto add = [&](std::optional<std::string>& text, JsonValue field) {
    if (!JsonReader::is_string(field)) {
      return;
    }
    if (!text.has_value()) {
      text.emplace();
    }
    step.token = step.token || JsonReader::text_size(field) > 0;
    (void)reader.append_text(field, *text);
  };
  reader.each_field(value, [&](std::string_view key, JsonValue field) {
    if (key == "content") {
      add(message.content, field);
    } else if (key == "refusal") {
      add(message.refusal, field);
    } else if (key == "reasoning_content" || key == "reasoning") {
      add(deltas.thinking, field);
    } else if (key == "role") {
      if (message.role.empty()) {
        (void)reader.read_text(field, message.role);
      }
    } else if (key == "tool_calls") {
      (void)reader.each_element(field, [&](JsonValue element) {
        JsonObject delta;
        if (reader.enter(element, delta)) {
          step.token = true;
          on_tool_delta(reader, delta, deltas);
        }
      });
    } else if (key == "function_call" && !JsonReader::is_null(field)) {  // the form before tools: one, without id
      step.token = true;
      ToolDeltas& tool = deltas.tools.empty() ? deltas.tools.emplace_back() : deltas.tools.front();
      tool.call.type = "function";
      on_function_delta(reader, field, tool);
    }
  });
}

void OpenAiChatDecoder::on_tool_delta(JsonReader& reader, JsonObject& delta, ChoiceDeltas& deltas) {
  std::int64_t index = deltas.tools.empty() ? 0 : deltas.tools.back().index;
  JsonValue field;
  if (reader.find(delta, "index", field)) {
    reader.read_index(field, index);
  }
  std::string id;
  if (reader.find(delta, "id", field)) {
    (void)reader.read_text(field, id);
  }
  // Some servers give parallel calls one index: another id is another call.
  ToolDeltas* const tool = find_or_add(deltas.tools, kMostToolCalls, [&](const ToolDeltas& one) {
    return one.index == index && (id.empty() || one.call.id.empty() || one.call.id == id);
  });
  if (tool == nullptr || (tool->call.id.empty() && tool->call.name.empty() && !reader.afford_item())) {
    reader.add_missing(Missing::body_too_large);
    return;
  }
  tool->index = index;
  if (!id.empty()) {
    tool->call.id = std::move(id);
  }
  if (reader.find(delta, "type", field)) {
    (void)reader.read_text(field, tool->call.type);
  }
  if (reader.find(delta, "function", field) || reader.find(delta, "custom", field)) {
    on_function_delta(reader, field, *tool);
  }
}

void OpenAiChatDecoder::on_function_delta(JsonReader& reader, JsonValue value, ToolDeltas& tool) {
  reader.each_field(value, [&](std::string_view key, JsonValue part) {
    if (key == "name") {
      if (tool.call.name.empty()) {  // some servers repeat it in every delta
        (void)reader.read_text(part, tool.call.name);
      }
    } else if ((key == "arguments" || key == "input") && !reader.append_escaped(part, tool.arguments)) {
      reader.read_raw(part, tool.call.arguments_json);
    }
  });
}

bool OpenAiChatDecoder::end_stream(JsonReader& reader, Response& response) {
  response = std::move(streamed_);
  bool finished = !choices_.empty();
  for (ChoiceDeltas& deltas : choices_) {
    Choice& choice = deltas.choice;
    if (choice.message.content.has_value()) {
      choice.message.content_length = static_cast<std::int64_t>(choice.message.content->size());
    }
    std::stable_sort(deltas.tools.begin(), deltas.tools.end(),
                     [](const ToolDeltas& a, const ToolDeltas& b) { return a.index < b.index; });
    for (ToolDeltas& tool : deltas.tools) {
      if (tool.call.arguments_json.empty()) {
        tool.call.arguments_json = "\"" + tool.arguments + "\"";
      }
      choice.message.tool_calls.push_back(std::move(tool.call));
    }
    finished = finished && !choice.finish_reason.empty();
    add_thinking(reader, response, deltas.thinking);
    response.choices.push_back(std::move(choice));
  }
  finish_response(response);
  return finished;
}

std::string_view OpenAiChatDecoder::finish_word(std::string_view own) const {
  if (own == "function_call") {
    return "tool_calls";
  }
  constexpr std::array kSame =
      std::to_array<std::string_view>({"stop", "length", "tool_calls", "content_filter", "error"});
  return std::find(kSame.begin(), kSame.end(), own) != kSame.end() ? own : "other";
}

}  // namespace

std::unique_ptr<DialectDecoder> make_openai_chat_decoder() { return std::make_unique<OpenAiChatDecoder>(); }

}  // namespace oisp::ai
