// Ollama's own API, chat and generate: https://docs.ollama.com/api. Its answers are one object, or lines of
// objects that each bring a piece; the last of them says `done`.
#include <algorithm>
#include <array>

#include "collector/ai/dialect.h"
#include "collector/ai/openai-message.h"

namespace oisp::ai {
namespace {

constexpr std::array kParameters = std::to_array<ParameterKey>({
    {"think", &Parameters::thinking},
    {"format", &Parameters::response_format},
});
constexpr std::array kOptions = std::to_array<ParameterKey>({
    {"temperature", &Parameters::temperature},
    {"top_p", &Parameters::top_p},
    {"top_k", &Parameters::top_k},
    {"num_predict", &Parameters::max_tokens},
    {"num_ctx", &Parameters::num_ctx},
    {"seed", &Parameters::seed},
    {"stop", &Parameters::stop},
    {"frequency_penalty", &Parameters::frequency_penalty},
    {"presence_penalty", &Parameters::presence_penalty},
});

struct Measure {
  std::string_view key;
  std::string Durations::*field;
};
constexpr std::array kMeasures = std::to_array<Measure>({
    {"total_duration", &Durations::total},
    {"load_duration", &Durations::load},
    {"prompt_eval_duration", &Durations::prompt_eval},
    {"eval_duration", &Durations::eval},
});

// Added to what came before it.
void add_text(JsonReader& reader, JsonValue value, std::optional<std::string>& text) {
  if (JsonReader::is_string(value)) {
    (void)reader.append_text(value, text.has_value() ? *text : text.emplace());
  }
}

// Pictures are base64 without a type.
void read_images(JsonReader& reader, JsonValue value, Message& message, std::int32_t& images) {
  (void)reader.each_element(value, [&](JsonValue element) {
    if (!reader.afford_item()) {
      return;
    }
    ++images;
    ContentPart& part = message.parts.emplace_back();
    part.type = "image";
    part.size_bytes = static_cast<std::int64_t>(JsonReader::text_size(element));
  });
}

void read_tool_calls(JsonReader& reader, JsonValue value, Message& message) {
  (void)reader.each_element(value, [&](JsonValue element) {
    if (message.tool_calls.size() >= kMostToolCalls || !reader.afford_item()) {
      reader.add_missing(Missing::body_too_large);
      return;
    }
    ToolCall& call = message.tool_calls.emplace_back(read_tool_call(reader, element));
    call.type = call.type.empty() ? "function" : call.type;
  });
}

void set_length(Message& message) {
  if (message.content.has_value()) {
    message.content_length = static_cast<std::int64_t>(message.content->size());
  }
}

class OllamaDecoder final : public DialectDecoder {
 public:
  void read_request(JsonReader& reader, JsonObject& body, Request& request) override;
  void read_response(JsonReader& reader, JsonObject& body, Response& response) override;
  StreamStep on_event(JsonReader& reader, std::string_view data) override;
  bool end_stream(JsonReader& reader, Response& response) override;
  [[nodiscard]] std::string_view finish_word(std::string_view own) const override;

 private:
  void read_messages(JsonReader& reader, JsonValue value, Request& request);
  void read_prompt(JsonReader& reader, std::string_view key, JsonValue field, Request& request);
  // A message, or a piece of one; `thinking` goes to where it is put together.
  void add_message(JsonReader& reader, JsonValue value, Message& message, std::optional<std::string>& thinking,
                   std::int32_t& images);
  void add_answer(JsonReader& reader, JsonObject& body);
  void finish(Response& response);

  Response answer_;
  Message message_;
  std::string done_reason_;
  bool any_ = false;
  bool done_ = false;
  bool asks_ = false;  // for a tool's result
};

void OllamaDecoder::add_message(JsonReader& reader, JsonValue value, Message& message,
                                std::optional<std::string>& thinking, std::int32_t& images) {
  reader.each_field(value, [&](std::string_view key, JsonValue field) {
    if (key == "role") {
      if (message.role.empty()) {  // every piece repeats it
        (void)reader.read_text(field, message.role);
      }
    } else if (key == "content") {
      add_text(reader, field, message.content);
    } else if (key == "thinking") {
      add_text(reader, field, thinking);
    } else if (key == "images") {
      read_images(reader, field, message, images);
    } else if (key == "tool_calls") {
      read_tool_calls(reader, field, message);
    } else if (key == "tool_name" || (key == "name" && message.name.empty())) {
      (void)reader.read_text(field, message.name);
    } else if (key == "tool_call_id") {
      (void)reader.read_text(field, message.tool_call_id);
    }
  });
}

void OllamaDecoder::read_messages(JsonReader& reader, JsonValue value, Request& request) {
  ToolResults results(request);
  request.has_system_prompt = false;
  request.has_messages = reader.each_element(value, [&](JsonValue element) {
    ++request.messages_count;
    if (!reader.afford_item()) {
      return;
    }
    Message& message = request.messages.emplace_back();
    std::optional<std::string> thinking;
    add_message(reader, element, message, thinking, request.image_count);
    set_length(message);
    if (message.role == "assistant") {
      results.on_answer();
      for (const ToolCall& call : message.tool_calls) {
        results.on_call(call.id, call.name);
      }
    } else if (message.role == "tool") {
      results.add({.call_id = message.tool_call_id,
                   .name = message.name,
                   .success = {},
                   .result = message.content.value_or(""),
                   .size_bytes = std::max<std::int64_t>(message.content_length, 0) + data_bytes(message)});
    } else if (message.role == "system") {
      request.has_system_prompt = true;
    }
  });
  results.finish();
}

// What generate has beside chat: one prompt, as the one message of the user.
void OllamaDecoder::read_prompt(JsonReader& reader, std::string_view key, JsonValue field, Request& request) {
  const auto message = [&]() -> Message& {
    if (request.messages.empty()) {
      request.has_messages = true;
      request.messages_count = 1;
      request.messages.emplace_back().role = "user";
    }
    return request.messages.back();
  };
  if (key == "prompt") {
    (void)reader.read_text(field, message().content);
    set_length(message());
  } else if (key == "images") {
    read_images(reader, field, message(), request.image_count);
  } else if (key == "suffix") {
    ContentPart part;
    part.type = key;
    if (reader.read_text(field, part.text)) {
      message().parts.push_back(std::move(part));
    }
  } else if (key == "system") {
    (void)reader.read_text(field, request.system);
    request.has_system_prompt = request.system.has_value();
  } else if (key == "options") {
    reader.each_field(field, [&](std::string_view name, JsonValue value) {
      (void)read_parameter(reader, kOptions, name, value, request.parameters);
    });
  } else {
    (void)read_parameter(reader, kParameters, key, field, request.parameters);
  }
}

void OllamaDecoder::read_request(JsonReader& reader, JsonObject& body, Request& request) {
  reader.each_field(body, [&](std::string_view key, JsonValue field) {
    if (key == "model") {
      (void)reader.read_text(field, request.model);
    } else if (key == "stream") {
      reader.read_bool(field, request.streaming);
    } else if (key == "messages") {
      read_messages(reader, field, request);
    } else if (key == "tools") {
      read_tools(reader, field, read_tool, request);
    } else {
      read_prompt(reader, key, field, request);
    }
  });
}

void OllamaDecoder::add_answer(JsonReader& reader, JsonObject& body) {
  std::optional<bool> done;
  std::int32_t images = 0;
  reader.each_field(body, [&](std::string_view key, JsonValue field) {
    if (key == "model") {
      if (answer_.model.empty()) {
        (void)reader.read_text(field, answer_.model);
      }
    } else if (key == "message") {
      any_ = true;
      add_message(reader, field, message_, answer_.thinking, images);
    } else if (key == "response") {
      any_ = true;
      message_.role = "assistant";
      add_text(reader, field, message_.content);
    } else if (key == "thinking") {
      add_text(reader, field, answer_.thinking);
    } else if (key == "tool_calls") {
      read_tool_calls(reader, field, message_);
    } else if (key == "done") {
      reader.read_bool(field, done);
    } else if (key == "done_reason") {
      (void)reader.read_text(field, done_reason_);
    } else if (key == "prompt_eval_count") {
      reader.read_raw(field, answer_.usage.prompt_tokens);
    } else if (key == "eval_count") {
      reader.read_raw(field, answer_.usage.completion_tokens);
    } else if (key == "error") {
      read_error(reader, field, answer_.error);
    } else if (const auto* const found = std::ranges::find(kMeasures, key, &Measure::key); found != kMeasures.end()) {
      reader.read_raw(field, answer_.durations.*(found->field));
    }
  });
  done_ = done_ || done.value_or(false);
}

void OllamaDecoder::finish(Response& response) {
  response = std::move(answer_);
  response.finish_reason = done_reason_;
  if (response.thinking.has_value() && response.thinking->empty()) {
    response.thinking.reset();
  }
  if (any_) {
    set_length(message_);
    response.tool_calls = message_.tool_calls;
    asks_ = !response.tool_calls.empty();
    response.choices.push_back({.index = 0, .message = std::move(message_), .finish_reason = done_reason_});
  }
}

void OllamaDecoder::read_response(JsonReader& reader, JsonObject& body, Response& response) {
  add_answer(reader, body);
  finish(response);
}

StreamStep OllamaDecoder::on_event(JsonReader& reader, std::string_view data) {
  const auto size_of = [](const std::optional<std::string>& text) { return text.has_value() ? text->size() : 0; };
  const auto said = [&] { return size_of(message_.content) + size_of(answer_.thinking) + message_.tool_calls.size(); };
  auto event = reader.open_event(data);
  if (!event.has_value()) {
    return {};
  }
  const std::size_t before = said();
  add_answer(reader, *event);
  return {.token = said() > before, .end = done_};
}

bool OllamaDecoder::end_stream(JsonReader&, Response& response) {
  finish(response);
  return done_;
}

std::string_view OllamaDecoder::finish_word(std::string_view own) const {
  if (own == "stop") {
    return asks_ ? "tool_calls" : "stop";
  }
  return own == "length" ? own : "other";
}

}  // namespace

std::unique_ptr<DialectDecoder> make_ollama_decoder() { return std::make_unique<OllamaDecoder>(); }

}  // namespace oisp::ai
