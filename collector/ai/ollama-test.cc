#include "collector/ai/test-exchanges.h"

namespace oisp {
namespace {

using test::AiCase;
using test::check;
using test::has;
using test::lacks;

AiCase chat(const std::string& body, const std::string& headers, const std::string& response) {
  return test::exchange("localhost:11434", "/api/chat", body, headers, response);
}
AiCase of_prompt(const std::string& body, const std::string& headers, const std::string& response) {
  return test::exchange("localhost:11434", "/api/generate", body, headers, response);
}

constexpr const char* kAsk = R"({"model":"qwen3","messages":[{"role":"user","content":"hi"}]})";
constexpr const char* kCounts =
    R"("done_reason":"stop","done":true,"total_duration":174560334,"load_duration":101397084,"prompt_eval_count":11,"prompt_eval_duration":13074791,"eval_count":18,"eval_duration":52479709})";

}  // namespace

TEST_CASE("ollama: a chat with all its parts") {
  const std::string text = check(chat(
      R"({"model":"qwen3","stream":false,"think":true,"format":"json","keep_alive":"5m","options":{"temperature":0.10,"num_ctx":4096,"num_predict":-1,"stop":["x"],"mirostat":1},)"
      R"("messages":[{"role":"system","content":"be brief"},{"role":"user","content":"what is it","images":["QUJD","QUJDRA=="]},)"
      R"({"role":"assistant","content":"","thinking":"hm","tool_calls":[{"function":{"name":"look","arguments":{"at": 1.0}}}]},{"role":"tool","tool_name":"look","content":"a cat"}],)"
      R"("tools":[{"type":"function","function":{"name":"look","description":"looks","parameters":{}}}]})",
      test::kJson,
      R"({"model":"qwen3","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":"A cat.","thinking":"I see"},)" +
          std::string(kCounts)));
  CHECK(has(
      text,
      R"("provider":{"name":"ollama","endpoint":"https://localhost:11434/api/chat"},"model":{"id":"qwen3"},"request_type":"chat","dialect":"ollama.chat","streaming":false)"));
  CHECK(has(
      text,
      R"({"role":"user","content":"what is it","content_length":10,"parts":[{"type":"image","size_bytes":4},{"type":"image","size_bytes":8}]})"));
  CHECK(has(
      text,
      R"({"role":"assistant","content":"","content_length":0,"tool_calls":[{"name":"look","type":"function","arguments":{"at": 1.0}}]})"));
  CHECK(has(text, R"({"role":"tool","content":"a cat","content_length":5,"name":"look"}],"messages_count":4)"));
  CHECK(has(text, R"("tools":[{"name":"look","type":"function","description":"looks"}],"tools_count":1)"));
  CHECK(has(
      text,
      R"("parameters":{"temperature":0.10,"max_tokens":-1,"stop":["x"],"thinking":true,"response_format":"json","num_ctx":4096},"has_images":true,"image_count":2)"));
  CHECK(has(text, "result  look [a cat] 5\n"));
  CHECK(has(
      text,
      R"("status_code":200,"success":true,"choices":[{"index":0,"message":{"role":"assistant","content":"A cat.","content_length":6},"finish_reason":"stop"}],"tool_calls_count":0,"usage":{"prompt_tokens":11,"completion_tokens":18})"));
  CHECK(has(
      text,
      R"("finish_reason":"stop","finish_reason_raw":"stop","thinking":{"content":"I see","content_length":5},"streaming":false,"durations":{"total":174560334,"load":101397084,"prompt_eval":13074791,"eval":52479709})"));
  CHECK(has(text, "known_endpoint request: response:\n"));
}

TEST_CASE("ollama: a streamed chat is lines, and streams unless told not to") {
  const auto piece = [](const std::string& message) {
    return R"({"model":"qwen3","created_at":"t","message":{"role":"assistant",)" + message + R"(},"done":false})";
  };
  const std::vector<std::string> all = {
      piece(R"("content":"","thinking":"Let ")"),
      piece(R"("content":"","thinking":"me")"),
      piece(R"("content":"Gr\u00fc\u00df","thinking":"")"),
      piece(R"("content":"e \"x\"")"),
      piece(R"("content":"","tool_calls":[{"id":"call_1","function":{"index":0,"name":"f","arguments":{"a":1}}}])"),
      piece(R"("content":"","tool_calls":[{"id":"call_2","function":{"index":1,"name":"g","arguments":{}}}])"),
      R"({"model":"qwen3","created_at":"t","message":{"role":"assistant","content":""},)" + std::string(kCounts)};
  AiCase one = chat(kAsk, test::kLines, test::lines(all));
  const std::string text = check(one);
  CHECK(lacks(text.substr(0, text.find('\n')), "\"streaming\""));  // the request did not say
  CHECK(has(text,
            "\"message\":{\"role\":\"assistant\",\"content\":\"Gr\xc3\xbc\xc3\x9f"
            "e \\\"x\\\"\",\"content_length\":11,"));
  CHECK(has(text, R"("finish_reason":"tool_calls","finish_reason_raw":"stop","thinking":{"content":"Let me")"));
  CHECK(has(text, R"("streaming":true,"chunk_count":7,"durations":{"total":174560334)"));
  CHECK(has(text, "call call_1 f function {\"a\":1}\ncall call_2 g function {}\n"));
  CHECK(has(text, "response:\n"));

  // The last line without its end, lines ended as Windows does, empty lines.
  one.response = test::answer(200, test::kLines, all[2] + "\r\n\r\n \n" + all[6]);
  CHECK(has(check(one), R"("success":true)"));
  // A server that does not name the type of its answer.
  one.response = test::answer(200, test::kJson, test::lines(all));
  CHECK(has(check(one), R"("streaming":true,"chunk_count":7)"));
}

TEST_CASE("ollama: answers that break off, and errors") {
  AiCase one = chat(kAsk, "", "");
  const std::string begin = R"({"model":"q","message":{"role":"assistant","content":"half"},"done":false})";
  one.response = test::answer(200, test::kLines, begin + "\n" + R"({"model":"q","mess)");
  std::string text = check(one);
  CHECK(has(text, R"("success":false,"choices":[{"index":0,"message":{"role":"assistant","content":"half")"));
  CHECK(has(text, "response: !stream_ended !malformed\n"));
  one.response = test::answer(200, test::kLines, begin + "\n" + R"({"error":"llama runner terminated"})" + "\n");
  text = check(one);
  CHECK(has(text, R"("success":false,"error":{"message":"llama runner terminated"})"));
  one.response = test::answer(404, test::kJson, R"({"error":"model \"q\" not found"})");
  CHECK(has(check(one), R"("status_code":404,"success":false,"error":{"message":"model \"q\" not found"})"));
  // Wrong types everywhere.
  one.response = test::answer(
      200, test::kLines,
      test::lines({R"({"model":7,"message":[],"done":"yes"})", R"({"message":{"content":{},"tool_calls":{"a":1}}})",
                   "[]", "7", R"({"done":true,"eval_count":1e999999,"total_duration":"long"})"}));
  text = check(one);
  CHECK(has(text, R"("usage":{"completion_tokens":1e999999})"));
}

TEST_CASE("ollama: generate") {
  std::string text = check(of_prompt(
      R"({"model":"codellama","prompt":"def f(","suffix":"return x","system":"code only","options":{"seed":7},"images":["QUJD"],"raw":false})",
      test::kLines,
      test::lines({R"({"model":"codellama","created_at":"t","response":"x","done":false})",
                   R"({"model":"codellama","created_at":"t","response":"):","thinking":"t","done":false})",
                   R"({"model":"codellama","response":"","context":[1,2,3],)" + std::string(kCounts)})));
  CHECK(has(text, R"("request_type":"completion","dialect":"ollama.generate")"));
  CHECK(has(
      text,
      R"("messages":[{"role":"user","content":"def f(","content_length":6,"parts":[{"type":"suffix","text":"return x"},{"type":"image","size_bytes":4}]}],"messages_count":1,"has_system_prompt":true,"system":"code only","parameters":{"seed":7},"has_images":true,"image_count":1)"));
  CHECK(has(text, R"("message":{"role":"assistant","content":"x):","content_length":3})"));
  CHECK(has(text, R"("thinking":{"content":"t")"));
  // Only to load the model.
  text = check(of_prompt(R"({"model":"m","keep_alive":0})", test::kJson,
                         R"({"model":"m","response":"","done":true,"done_reason":"unload"})"));
  CHECK(has(text, R"("finish_reason":"other","finish_reason_raw":"unload")"));
}

TEST_CASE("ollama: whatever is in them, the events fit a frame") {
  const std::string images = test::filled(R"({"model":"m","messages":[{"images":[)", R"("",)", "]}]}");
  const std::string calls = R"({"function":{"name":"f","arguments":{}}},)";
  const std::string words = test::filled(R"({"model":"m","messages":[{"role":"user","content":")", "words", "\"}]}");
  test::check_bounds(
      chat(images, test::kJson, test::filled(R"({"message":{"tool_calls":[)", calls, R"(]},"done":true})")));
  // A stream of more than is kept, in events of a common size.
  std::string piece = R"({"message":{"content":")" + std::string(1 << 16, 'x') + "\"}}\n";
  std::string stream;
  while (stream.size() < std::size_t{7} << 20) {
    stream += piece;
  }
  test::check_bounds(chat(words, test::kLines, stream));
}

}  // namespace oisp
