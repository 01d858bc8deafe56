// Which exchanges are taken for requests to models, and in which dialect.
#include "collector/ai/test-exchanges.h"

namespace oisp {
namespace {

using test::ai_transcript;
using test::AiCase;
using test::kJson;

// The dialect of a request of which HTTP/2 gave method and body, but no path.
std::string dialect_of(const std::string& body, const std::string& header = {}, const std::string& value = {}) {
  Exchange exchange;
  exchange.request.has_head = exchange.request.whole = true;
  exchange.request.method = "POST";
  exchange.request.missing.add(Missing::joined_late);
  exchange.request.body.bytes = body;
  if (!header.empty()) {
    exchange.request.headers.add(header, value);
  }
  const auto ai = recognise_ai(exchange, "https");
  if (ai == nullptr) {
    return "none";
  }
  CHECK(ai->detection() == AiDetection::payload_inspection);
  CHECK_FALSE(ai->path_known());
  const std::string event = test::event_of([&](auto data) { ai->fill_request(data.initAiRequest()); });
  const std::size_t begin = event.find("\"dialect\":\"") + 11;
  return event.substr(begin, event.find('"', begin) - begin);
}

}  // namespace

TEST_CASE("requests are recognised by host, or by shape alone") {
  const auto recognised = [](const std::string& request) -> std::string {
    const AiCase one = {.request = request, .response = test::answer(200, kJson, "{}")};
    const std::string text = ai_transcript(one, std::string::npos, 0);
    for (const char* word : {"known_endpoint", "payload_inspection"}) {
      if (text.find(word) != std::string::npos) {
        const std::size_t name = text.find("\"name\":\"") + 8;
        return text.substr(name, text.find('"', name) - name) + " " + word;
      }
    }
    return text;
  };
  const std::string chat = R"({"model":"m","messages":[]})";
  const std::string messages = R"({"model":"m","max_tokens":1,"messages":[]})";
  CHECK(recognised(test::post("localhost:8000", "/v1/chat/completions", "", chat)) == "unknown payload_inspection");
  CHECK(recognised(test::post("127.0.0.1:9", "/proxy/v1/messages?beta=true", "", messages)) ==
        "unknown payload_inspection");
  CHECK(recognised(test::post("localhost:11434", "/v1/chat/completions", "", chat)) == "ollama known_endpoint");
  CHECK(recognised(test::post("API.OpenAI.com:443", "/v1/chat/completions", "", chat)) == "openai known_endpoint");
  CHECK(recognised(test::post("x.openai.azure.com", "/openai/deployments/d/chat/completions?api-version=1", "",
                              chat)) == "azure_openai known_endpoint");
  CHECK(recognised(test::post("api.openai.com", "/v1/chat/completions", "", "not json")) == "openai known_endpoint");
  CHECK(recognised(test::post("localhost:8443", "/api/chat", "", chat)) == "ollama payload_inspection");
  CHECK(recognised(test::post("[::1]:11434", "/api/generate", "", R"({"model":"m"})")) == "ollama known_endpoint");
  CHECK(recognised(test::post("x.example", "/v1/responses", "", R"({"model":"m","input":"x"})")) ==
        "unknown payload_inspection");
  CHECK(recognised(test::post("chatgpt.com", "/backend-api/codex/responses", "", "{")) == "openai known_endpoint");
  CHECK(recognised(test::post("api.mistral.ai", "/v1/embeddings", "", "{}")) == "mistral known_endpoint");
  // Others are not taken for chat.
  CHECK(recognised(test::post("localhost", "/v1/chat/completions", "", R"({"a":1})")).empty());
  CHECK(recognised(test::post("localhost", "/v1/messages", "", R"({"to":"x","messages":1})")).empty());
  CHECK(recognised(test::post("api.anthropic.com", "/v1/messages/batches", "anthropic-version: 1\r\n", messages))
            .empty());
  CHECK(recognised(test::post("api.openai.com", "/v1/threads/t/messages", "", chat)).empty());
  CHECK(recognised(test::post("localhost", "/api/chat", "", R"({"id":"x","messages":[]})")).empty());
  CHECK(recognised(test::post("localhost", "/v1/responses", "", R"({"answers":[]})")).empty());
  CHECK(recognised(test::post("localhost", "/embeddings", "", R"({"input":[]})")).empty());
  CHECK(recognised(test::post("api.openai.com", "/v1/responses/resp_1/cancel", "", "{}")).empty());
  CHECK(recognised("GET /v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\n\r\n").empty());
}

TEST_CASE("without a path, the body says which dialect it is in, or nothing does") {
  CHECK(dialect_of(R"({"model":"m","max_tokens":9,"system":"s","messages":[{"role":"user","content":"x"}]})") ==
        "anthropic.messages");
  CHECK(dialect_of(R"({"model":"m","max_tokens":9,"tools":[{"name":"f","input_schema":{}}],"messages":[]})") ==
        "anthropic.messages");
  CHECK(
      dialect_of(
          R"({"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t"}]}],"max_tokens":1,"model":"m"})") ==
      "anthropic.messages");
  CHECK(dialect_of(R"({"model":"m","system":"s","messages":[]})") == "anthropic.count_tokens");
  CHECK(dialect_of(R"({"model":"m","messages":[],"stream":true,"stream_options":{"include_usage":true}})") ==
        "openai.chat_completions");
  CHECK(dialect_of(R"({"model":"m","temperature":1,"messages":[{"role":"tool","tool_call_id":"c","content":"x"}]})") ==
        "openai.chat_completions");
  CHECK(dialect_of(R"({"model":"m","input":[{"role":"user","content":"x"}]})") == "openai.responses");
  CHECK(dialect_of(R"({"model":"m","input":"x","previous_response_id":"r"})") == "openai.responses");
  CHECK(dialect_of(R"({"model":"m","input":"x","encoding_format":"base64"})") == "openai.embeddings");
  CHECK(dialect_of(R"({"model":"m","input":[1,2,3]})") == "openai.embeddings");
  CHECK(dialect_of(R"({"model":"m","messages":[],"options":{"num_ctx":1}})") == "ollama.chat");
  CHECK(dialect_of(R"({"model":"m","prompt":"p","keep_alive":"5m"})") == "ollama.generate");
  CHECK(dialect_of(R"({"model":"m","input":"p","keep_alive":"5m"})") == "ollama.embed");
  // More than one, or none.
  CHECK(dialect_of(R"({"model":"m","messages":[{"role":"user","content":"x"}]})") == "none");
  CHECK(dialect_of(R"({"model":"m","messages":[{"role":"user","content":"x"}],"max_tokens":9,"stream":true})") ==
        "none");
  CHECK(dialect_of(R"({"model":"m","input":"x"})") == "none");
  CHECK(dialect_of(R"({"model":"m","input":"x","voice":"alloy","instructions":"warm"})") == "none");
  CHECK(dialect_of(R"({"model":"m","prompt":"p","max_tokens":5})") == "none");
  CHECK(dialect_of(R"({"model":"m","system":"s","options":{},"messages":[]})") == "none");
  CHECK(dialect_of(R"({"messages":[],"stream_options":{}})") == "none");
  CHECK(dialect_of(R"({"hello":1})") == "none");
  CHECK(dialect_of("not json") == "none");
  CHECK(dialect_of("") == "none");
  // What is known of the headers decides.
  const std::string either = R"({"model":"m","messages":[{"role":"user","content":"x"}],"max_tokens":9})";
  CHECK(dialect_of(either, "anthropic-version", "2023-06-01") == "anthropic.messages");
  CHECK(dialect_of(either, "host", "api.openai.com") == "openai.chat_completions");
  CHECK(dialect_of(either, "host", "api.anthropic.com") == "none");
}

TEST_CASE("a path that was not seen is not made up") {
  Exchange exchange;
  exchange.request.has_head = true;
  exchange.request.method = "POST";
  exchange.request.missing.add(Missing::joined_late);
  exchange.request.body.bytes = R"({"model":"m","input":[1,2]})";
  const auto endpoint = [&] {
    const auto ai = recognise_ai(exchange, "http");
    return ai == nullptr ? "none" : std::string(ai->endpoint());
  };
  CHECK(endpoint().empty());
  exchange.request.headers.add("host", "models.example");
  CHECK(endpoint() == "http://models.example");
  exchange.request.target = "/v1/embeddings?x=1";
  CHECK(endpoint() == "http://models.example/v1/embeddings");
  // A path that was seen, and is not one of a model's.
  exchange.request.target = "/v1/else";
  CHECK(endpoint() == "none");
  // No path, though nothing is missing.
  exchange.request.target.clear();
  exchange.request.missing = {};
  CHECK(endpoint() == "none");
}

}  // namespace oisp
