#include "collector/ai/body-shape.h"

#include <algorithm>
#include <array>
#include <bit>
#include <span>

namespace oisp::ai {
namespace {

// A set of dialects, and of other APIs that share keys with them.
using Set = std::uint32_t;
constexpr Set bit(Dialect dialect) { return 1u << static_cast<unsigned>(dialect); }

constexpr Set kChat = bit(Dialect::openai_chat_completions);
constexpr Set kResponses = bit(Dialect::openai_responses);
constexpr Set kEmbeddings = bit(Dialect::openai_embeddings);
constexpr Set kMessages = bit(Dialect::anthropic_messages);
constexpr Set kCount = bit(Dialect::anthropic_count_tokens);
constexpr Set kOllamaChat = bit(Dialect::ollama_chat);
constexpr Set kOllamaGenerate = bit(Dialect::ollama_generate);
constexpr Set kOllamaEmbed = bit(Dialect::ollama_embed);
// Not decoded: OpenAI's completions of before chat, speech, and moderation.
constexpr Set kCompletions = 1u << 29;
constexpr Set kSpeech = 1u << 30;
constexpr Set kModeration = 1u << 31;

constexpr Set kAnthropic = kMessages | kCount;
constexpr Set kOllama = kOllamaChat | kOllamaGenerate | kOllamaEmbed;
constexpr Set kConversation = kChat | kAnthropic | kOllamaChat;
constexpr Set kAll = kConversation | kResponses | kEmbeddings | kOllama | kCompletions | kSpeech | kModeration;

// Words, and whose they are. What is not here says nothing.
struct Evidence {
  std::string_view word;
  Set dialects;
};
constexpr std::array kKeys = std::to_array<Evidence>({
    {"messages", kConversation},
    {"input", kResponses | kEmbeddings | kOllamaEmbed | kSpeech | kModeration},
    {"prompt", kOllamaGenerate | kCompletions | kResponses},
    {"stream", kChat | kMessages | kResponses | kOllamaChat | kOllamaGenerate | kCompletions},
    {"temperature", kChat | kMessages | kResponses | kCompletions},
    {"top_p", kChat | kMessages | kResponses | kCompletions},
    {"top_k", kChat | kMessages},
    {"max_tokens", kChat | kMessages | kCompletions},
    {"max_completion_tokens", kChat},
    {"n", kChat | kCompletions},
    {"seed", kChat | kCompletions},
    {"stop", kChat | kCompletions},
    {"frequency_penalty", kChat | kCompletions},
    {"presence_penalty", kChat | kCompletions},
    {"logit_bias", kChat | kCompletions},
    {"logprobs", kChat | kCompletions},
    {"stream_options", kChat | kResponses | kCompletions},
    {"response_format", kChat | kSpeech},
    {"reasoning_effort", kChat},
    {"functions", kChat},
    {"function_call", kChat},
    {"parallel_tool_calls", kChat | kResponses},
    {"store", kChat | kResponses},
    {"prompt_cache_key", kChat | kResponses},
    {"service_tier", kChat | kMessages | kResponses},
    {"metadata", kChat | kMessages | kResponses},
    {"tools", kConversation | kResponses},
    {"tool_choice", kChat | kAnthropic | kResponses},
    {"system", kAnthropic | kOllamaGenerate},
    {"stop_sequences", kMessages},
    {"thinking", kChat | kAnthropic},
    {"context_management", kAnthropic | kResponses},
    {"output_config", kAnthropic},
    {"mcp_servers", kAnthropic},
    {"container", kMessages},
    {"instructions", kResponses | kSpeech},
    {"previous_response_id", kResponses},
    {"max_output_tokens", kResponses},
    {"reasoning", kResponses | kChat},
    {"include", kResponses},
    {"text", kResponses},
    {"truncation", kResponses},
    {"conversation", kResponses},
    {"background", kResponses},
    {"voice", kSpeech},
    {"encoding_format", kEmbeddings},
    {"dimensions", kEmbeddings | kOllamaEmbed},
    {"options", kOllama},
    {"keep_alive", kOllama},
    {"truncate", kOllama},
    {"format", kOllamaChat | kOllamaGenerate},
    {"think", kOllamaChat | kOllamaGenerate},
    {"template", kOllamaGenerate},
    {"raw", kOllamaGenerate},
    {"context", kOllamaGenerate},
    {"images", kOllamaGenerate},
    {"suffix", kOllamaGenerate | kCompletions},
});
constexpr std::array kMessageKeys = std::to_array<Evidence>({
    {"tool_calls", kChat | kOllamaChat},
    {"tool_call_id", kChat | kOllamaChat},
    {"images", kOllamaChat},
    {"tool_name", kOllamaChat},
    {"reasoning_content", kChat},
    {"refusal", kChat},
});
constexpr std::array kRoles = std::to_array<Evidence>({
    {"developer", kChat},
    {"function", kChat},
    {"tool", kChat | kOllamaChat},
});
constexpr std::array kPartTypes = std::to_array<Evidence>({
    {"image_url", kChat},
    {"input_audio", kChat},
    {"file", kChat},
    {"image", kAnthropic},
    {"document", kAnthropic},
    {"tool_use", kAnthropic},
    {"tool_result", kAnthropic},
    {"thinking", kAnthropic},
    {"redacted_thinking", kAnthropic},
});
constexpr std::array kToolKeys = std::to_array<Evidence>({
    {"function", kChat | kOllamaChat},
    {"input_schema", kAnthropic},
    {"parameters", kResponses},
});
// What these providers speak, whatever the path.
constexpr std::array kProviders = std::to_array<Evidence>({
    {"openai", kChat | kResponses | kEmbeddings | kCompletions | kSpeech | kModeration},
    {"azure_openai", kChat | kResponses | kEmbeddings | kCompletions | kSpeech | kModeration},
    {"anthropic", kChat | kAnthropic},
    {"ollama", kOllama | kChat | kResponses | kEmbeddings | kCompletions},
});

void weigh(Set& possible, std::span<const Evidence> evidence, std::string_view word) {
  if (const auto found = std::ranges::find(evidence, word, &Evidence::word); found != evidence.end()) {
    possible &= found->dialects;
  }
}

void weigh_message(JsonReader& reader, JsonValue message, Set& possible) {
  std::string_view word;
  reader.each_field(message, [&](std::string_view key, JsonValue field) {
    weigh(possible, kMessageKeys, key);
    if (key == "role" && JsonReader::is_string(field) && reader.view_text(field, word)) {
      weigh(possible, kRoles, word);
    } else if (key == "content") {
      const bool parts = reader.each_element(field, [&](JsonValue part) {
        reader.each_field(part, [&](std::string_view name, JsonValue type) {
          if (name == "type" && JsonReader::is_string(type) && reader.view_text(type, word)) {
            weigh(possible, kPartTypes, word);
          }
        });
      });
      possible &= parts ? kChat | kAnthropic : kAll;
    }
  });
}

void weigh_input(JsonReader& reader, JsonValue input, Set& possible) {
  (void)reader.each_element(input, [&](JsonValue element) {
    const char first = JsonReader::first_byte(element);
    possible &= first == '{'   ? kResponses
                : first == '"' ? kEmbeddings | kOllamaEmbed | kModeration
                               : kEmbeddings;  // tokens
  });
}

void weigh_field(JsonReader& reader, std::string_view key, JsonValue field, Set& possible) {
  weigh(possible, kKeys, key);
  if (key == "messages") {
    (void)reader.each_element(field, [&](JsonValue message) { weigh_message(reader, message, possible); });
  } else if (key == "tools") {
    (void)reader.each_element(field, [&](JsonValue tool) {
      reader.each_field(tool, [&](std::string_view name, JsonValue) { weigh(possible, kToolKeys, name); });
    });
  } else if (key == "input") {
    weigh_input(reader, field, possible);
  } else if (key == "prompt") {
    const char first = JsonReader::first_byte(field);
    possible &= first == '"' ? kOllamaGenerate | kCompletions : first == '{' ? kResponses : kCompletions;
  }
}

void take_key(BodyKeys& keys, std::string_view key) {
  keys.model = keys.model || key == "model";
  keys.messages = keys.messages || key == "messages";
  keys.input = keys.input || key == "input";
  keys.prompt = keys.prompt || key == "prompt";
  keys.max_tokens = keys.max_tokens || key == "max_tokens";
}

}  // namespace

BodyKeys keys_of(JsonReader& reader, JsonObject& body) {
  BodyKeys keys;
  reader.each_field(body, [&](std::string_view key, JsonValue) { take_key(keys, key); });
  return keys;
}

std::optional<Dialect> only_dialect(JsonReader& reader, JsonObject& body, const HttpRequest& request,
                                    std::string_view provider) {
  Set possible = kAll;
  BodyKeys keys;
  reader.each_field(body, [&](std::string_view key, JsonValue field) {
    take_key(keys, key);
    weigh_field(reader, key, field, possible);
  });
  weigh(possible, kProviders, provider);
  if (request.headers.find("anthropic-version").has_value()) {
    possible &= kAnthropic;
  }
  // What a dialect cannot do without.
  possible &= keys.messages ? kAll : ~kConversation;
  possible &= keys.input ? kAll : ~(kResponses | kEmbeddings | kOllamaEmbed);
  possible &= keys.prompt ? kAll : ~kOllamaGenerate;
  possible &= keys.max_tokens ? ~kCount : ~kMessages;
  if (!keys.model || !std::has_single_bit(possible) || (possible & (kCompletions | kSpeech | kModeration)) != 0) {
    return std::nullopt;
  }
  return static_cast<Dialect>(std::countr_zero(possible));
}

}  // namespace oisp::ai
