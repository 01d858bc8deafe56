// What a dialect knows: one language in which models are spoken to. A further one is a file beside
// openai-chat.cc and a row of the table in recognise.cc.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "collector/ai/json-reader.h"
#include "collector/ai/model.h"

namespace oisp::ai {

// What one event of a streamed answer brought.
struct StreamStep {
  bool token = false;  // something that the model said: text, a tool call, thinking
  bool end = false;    // the answer is whole
};

class DialectDecoder {
 public:
  virtual ~DialectDecoder() = default;

  virtual void read_request(JsonReader& reader, JsonObject& body, Request& request) = 0;
  // An answer that is one JSON object, of a status that says success.
  virtual void read_response(JsonReader& reader, JsonObject& body, Response& response) = 0;
  // One event of a streamed answer; its data is followed by kEventPadding readable bytes.
  virtual StreamStep on_event(JsonReader&, std::string_view) { return {}; }
  // No event will follow. True: the model said why it stopped.
  virtual bool end_stream(JsonReader&, Response&) { return false; }
  // OISP's word for the provider's own.
  [[nodiscard]] virtual std::string_view finish_word(std::string_view) const { return "other"; }
};

std::unique_ptr<DialectDecoder> make_openai_chat_decoder();
std::unique_ptr<DialectDecoder> make_openai_responses_decoder();
std::unique_ptr<DialectDecoder> make_anthropic_messages_decoder();
std::unique_ptr<DialectDecoder> make_ollama_decoder();
std::unique_ptr<DialectDecoder> make_embeddings_decoder();  // of OpenAI and of Ollama

// Shared by the dialects.

// Which key of a request's body is which parameter.
struct ParameterKey {
  std::string_view key;
  std::string Parameters::*field;
};
// False: the key is no row's.
bool read_parameter(JsonReader& reader, std::span<const ParameterKey> rows, std::string_view key, JsonValue field,
                    Parameters& parameters);

// The tools that a request offers.
void read_tools(JsonReader& reader, JsonValue value, Tool (*read)(JsonReader& reader, JsonValue value),
                Request& request);
// {"error": …} in its known forms; absent where it is null.
void read_error(JsonReader& reader, JsonValue value, std::optional<Error>& error);
// Joins texts of parts by a line feed.
void append_line(JsonReader& reader, std::optional<std::string>& text, std::string_view line);
// A data URL ("data:image/png;base64,…") is described, any other is kept.
void read_url(JsonReader& reader, JsonValue value, ContentPart& part);
// What a message of the model, or a result, begins and ends: see ToolResult.
class ToolResults {
 public:
  explicit ToolResults(Request& request) : request_(request) {}
  void on_call(const std::string& id, const std::string& name);
  // A message of the model: results before it are old.
  void on_answer() { request_.tool_results.clear(); }
  void add(ToolResult&& result);
  // Every call is known: gives results the names of their calls.
  void finish();

 private:
  Request& request_;
  std::vector<std::pair<std::string, std::string>> calls_;
};

}  // namespace oisp::ai
