// Requests to models and their answers in plain form, whatever the dialect. Text is the provider's or
// the program's own, unescaped; what is named `…_json` is one JSON value as it was sent. Empty or
// nullopt: not sent. Tri and field names are those of ipc-schema/event.capnp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace oisp::ai {

struct ContentPart {
  std::string type;
  std::optional<std::string> text;
  std::string media_type;
  std::int64_t size_bytes = -1;
  std::string url;
  std::string tool_call_id;
  std::string name;
  std::string arguments_json;
  std::optional<bool> is_error;
};

struct ToolCall {
  std::string id;
  std::string name;
  std::string type;
  std::string arguments_json;  // a JSON string (OpenAI) or object (Anthropic), as sent
  std::string server;          // MCP
};

struct Message {
  std::string role;
  std::optional<std::string> content;
  std::int64_t content_length = -1;
  std::vector<ContentPart> parts;
  std::string tool_call_id;
  std::string name;
  std::vector<ToolCall> tool_calls;
  std::optional<std::string> refusal;
};

struct Tool {
  std::string name;
  std::string type;
  std::string description;
};

struct Parameters {
  std::string temperature, top_p, top_k, max_tokens, max_completion_tokens, frequency_penalty, presence_penalty, stop,
      seed, n, thinking, reasoning_effort, response_format, reasoning, parallel_tool_calls, store, num_ctx, dimensions,
      encoding_format;  // JSON
  friend bool operator==(const Parameters&, const Parameters&) = default;
};

// A tool's result that is new in this request: it stands after the last message of the model.
struct ToolResult {
  std::string call_id;
  std::string name;  // from the call with that id in the same request, or as sent
  std::optional<bool> success;
  std::string result;
  std::int64_t size_bytes = -1;
};

struct Request {
  std::string model;
  std::optional<bool> streaming;
  bool has_messages = false;
  std::int32_t messages_count = 0;  // may exceed messages.size() where a bound cut them
  std::vector<Message> messages;
  std::optional<bool> has_system_prompt;
  std::optional<std::string> system;
  bool has_tools = false;
  std::int32_t tools_count = 0;
  std::vector<Tool> tools;
  std::string tool_choice_json;
  Parameters parameters;
  std::int32_t image_count = 0;
  std::vector<ToolResult> tool_results;
  std::string previous_response_id;
  std::string conversation_id;
  // Of an embedding.
  std::vector<std::string> input;
  std::int32_t input_count = -1;
  std::int64_t input_bytes = -1;
};

struct Choice {
  std::int32_t index = 0;
  Message message;
  std::string finish_reason;
};

struct Usage {
  std::string prompt_tokens, completion_tokens, total_tokens, cached_tokens, cache_creation_tokens, reasoning_tokens,
      cache_creation, server_tool_use;  // JSON
  friend bool operator==(const Usage&, const Usage&) = default;
};

// Nanoseconds, as the server says.
struct Durations {
  std::string total, load, prompt_eval, eval;  // JSON
  friend bool operator==(const Durations&, const Durations&) = default;
};

struct Error {
  std::string type;
  std::string message;
  std::string code_json;
};

struct Response {
  std::string id;
  std::string model;
  std::vector<Choice> choices;
  std::vector<ToolCall> tool_calls;
  Usage usage;
  std::string finish_reason;  // the provider's own word, of the first choice
  std::optional<std::string> thinking;
  std::optional<Error> error;
  std::string service_tier;
  Durations durations;
  // Of an embedding.
  std::int32_t embedding_count = -1;
  std::int32_t dimensions = -1;
};

}  // namespace oisp::ai
