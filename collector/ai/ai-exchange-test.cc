#include "collector/ai/ai-exchange.h"

#include <capnp/message.h>

#include "collector/ai/provider.h"
#include "collector/ai/test-exchanges.h"

namespace oisp {
namespace {

using test::ai_transcript;
using test::AiCase;
using test::check;
using test::has;
using test::kJson;
using test::kStream;

AiCase openai(std::string body, std::string response_headers, std::string response_body) {
  return {.request = test::post("api.openai.com", "/v1/chat/completions", "", std::move(body)),
          .response = test::answer(200, response_headers, std::move(response_body))};
}
AiCase anthropic(std::string body, std::string response_headers, std::string response_body) {
  return {
      .request = test::post("api.anthropic.com", "/v1/messages", "anthropic-version: 2023-06-01\r\n", std::move(body)),
      .response = test::answer(200, response_headers, std::move(response_body))};
}

constexpr const char* kAsk = R"({"model":"m","messages":[]})";
constexpr const char* kAskStream = R"({"model":"m","stream":true,"messages":[]})";

}  // namespace

TEST_CASE("openai: a request with all its parts") {
  const std::string text = check(openai(
      R"({"model":"gpt-4o","temperature":0.70,"top_p":1.0,"n":2,"seed":12345678901234567890,"stop":["a",)"
      "\n"
      R"("b"],"max_tokens":1e2,"stream":false,"messages":[{"role":"system","content":"Be \"kind\""},)"
      R"({"role":"user","content":[{"type":"text","text":"what is this"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}},)"
      R"({"type":"image_url","image_url":{"url":"https://x/y.png","detail":"low"}},{"type":"text","text":"tell"}]},)"
      R"({"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\": 1}"}}]},)"
      R"({"role":"tool","tool_call_id":"c1","content":"42"}],)"
      R"("tools":[{"type":"function","function":{"name":"f","description":"does","parameters":{}}}],"tool_choice":{"type":"function", "function":{"name":"f"}}})",
      kJson,
      R"({"id":"chatcmpl-1","object":"chat.completion","model":"gpt-4o-2024","choices":[{"index":0,"message":{"role":"assistant","content":"Hello","refusal":null},"finish_reason":"stop"},{"index":1,"message":{"role":"assistant","content":"Hi"},"finish_reason":"length"}],"usage":{"prompt_tokens":8,"completion_tokens":3,"total_tokens":11,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":2}},"service_tier":"default"})"));
  CHECK(has(
      text,
      R"("provider":{"name":"openai","endpoint":"https://api.openai.com/v1/chat/completions"},"model":{"id":"gpt-4o"},"request_type":"chat","dialect":"openai.chat_completions","streaming":false)"));
  CHECK(has(text, R"({"role":"system","content":"Be \"kind\"","content_length":9})"));
  CHECK(has(
      text,
      R"("content":"what is this\ntell","content_length":17,"parts":[{"type":"text","text":"what is this"},{"type":"image_url","media_type":"image/png","size_bytes":4},{"type":"image_url","url":"https://x/y.png"},{"type":"text","text":"tell"}])"));
  CHECK(
      has(text,
          R"({"role":"assistant","tool_calls":[{"id":"c1","name":"f","type":"function","arguments":"{\"a\": 1}"}]})"));
  CHECK(has(
      text,
      R"({"role":"tool","content":"42","content_length":2,"tool_call_id":"c1"}],"messages_count":4,"has_system_prompt":true,"tools":[{"name":"f","type":"function","description":"does"}],"tools_count":1,"tool_choice":{"type":"function", "function":{"name":"f"}})"));
  CHECK(has(
      text,
      R"("parameters":{"temperature":0.70,"top_p":1.0,"max_tokens":1e2,"stop":["a","b"],"seed":12345678901234567890,"n":2},"has_images":true,"image_count":2)"));
  CHECK(has(text, "result c1 f [42] 2\n"));
  CHECK(has(text, R"("provider_request_id":"chatcmpl-1")"));
  CHECK(has(
      text,
      R"("model":{"id":"gpt-4o-2024"},"status_code":200,"success":true,"choices":[{"index":0,"message":{"role":"assistant","content":"Hello","content_length":5},"finish_reason":"stop"},{"index":1,"message":{"role":"assistant","content":"Hi","content_length":2},"finish_reason":"length"}])"));
  CHECK(has(
      text,
      R"("usage":{"prompt_tokens":8,"completion_tokens":3,"total_tokens":11,"cached_tokens":0,"reasoning_tokens":2})"));
  CHECK(has(text, R"("finish_reason":"stop","finish_reason_raw":"stop","streaming":false,"service_tier":"default")"));
  CHECK(has(text, "known_endpoint request: response:\n"));
}

TEST_CASE("openai: a streamed answer with parallel tool calls") {
  const std::string text = check(openai(
      kAskStream, kStream,
      "data: "
      "{\"id\":\"c\",\"model\":\"gpt\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},"
      "\"finish_reason\":null}]}\n\n"
      "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Look\"}}]}\n\n"
      "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"ing\\n\"}}]}\n\n"
      "data: "
      "{\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"type\":\"function\","
      "\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]}}]}\n\n"
      "data: "
      "{\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":1,\"id\":\"b\",\"type\":\"function\","
      "\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}]}}]}\n\n"
      "data: "
      "{\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\\\"x\\\":\"}}"
      "]}}]}\n\n"
      "data: "
      "{\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"1}\"}}]}}]}\n\n"
      "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n"
      "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":17,\"total_tokens\":26}}\n\n"
      "data: [DONE]\n\n"));
  CHECK(has(
      text,
      R"("choices":[{"index":0,"message":{"role":"assistant","content":"Looking\n","content_length":8,"tool_calls":[{"id":"a","name":"f","type":"function","arguments":"{\"x\":1}"},{"id":"b","name":"g","type":"function","arguments":"{}"}]},"finish_reason":"tool_calls"}])"));
  CHECK(has(text, R"("tool_calls_count":2,"usage":{"prompt_tokens":9,"completion_tokens":17,"total_tokens":26})"));
  CHECK(has(text, R"("success":true)"));
  CHECK(has(text, R"("streaming":true,"chunk_count":10)"));
  CHECK(has(text, "call a f function \"{\\\"x\\\":1}\"\ncall b g function \"{}\"\n"));
}

TEST_CASE("openai: streamed choices, refusal, reasoning, no usage") {
  const std::string text =
      check(openai(kAskStream, kStream,
                   "data: {\"choices\":[{\"index\":1,\"delta\":{\"content\":\"B\"}}]}\n\n"
                   "data: "
                   "{\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"hm\"}},{\"delta\":{\"refusal\":"
                   "\"no\"},\"index\":1}]}\n\n"
                   "data: "
                   "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"A\"},\"finish_reason\":\"stop\"},{\"index\":1,"
                   "\"delta\":{},\"finish_reason\":\"content_filter\"}]}\n\n"));
  CHECK(has(
      text,
      R"("choices":[{"index":0,"message":{"content":"A","content_length":1},"finish_reason":"stop"},{"index":1,"message":{"content":"B","content_length":1,"refusal":"no"},"finish_reason":"content_filter"}],"tool_calls_count":0)"));
  CHECK(has(text, R"("thinking":{"content":"hm","content_length":2})"));
  CHECK_FALSE(text.find("usage") != std::string::npos);
  CHECK(has(text, R"("success":true)"));  // no [DONE], but every choice said why it stopped
}

TEST_CASE("a stream that breaks off gives what came") {
  const std::string begin = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"half\"}}]}\n\ndata: {\"cho";
  AiCase one = openai(kAskStream, kStream, "");
  one.response =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/event-stream\r\n\r\n" + test::chunk(begin);
  std::string text = check(one);
  CHECK(has(text, R"("success":false,"choices":[{"index":0,"message":{"content":"half","content_length":4}}])"));
  CHECK(has(text, "response: !stream_ended\n"));
  // The HTTP message is whole, the model's answer is not.
  one.response += "0\r\n\r\n";
  text = check(one);
  CHECK(has(text, "response: !stream_ended\n"));
  // The client stops reading at the end mark.
  one.response =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/event-stream\r\n\r\n" +
      test::chunk(
          "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"all\"},\"finish_reason\":\"stop\"}]}\n\n"
          "data: [DONE]\n\n");
  text = check(one);
  CHECK(has(text, R"("success":true)"));
  CHECK(has(text, "response:\n"));
}

TEST_CASE("openai: errors in every form") {
  const auto error = [](int status, std::string headers, std::string body) {
    AiCase one = openai(kAsk, "", "");
    one.response = test::answer(status, headers, std::move(body));
    return check(one);
  };
  std::string text = error(
      401, kJson,
      R"({"error":{"message":"Incorrect key","type":"invalid_request_error","param":null,"code":"invalid_api_key"}})");
  CHECK(has(
      text,
      R"("status_code":401,"success":false,"error":{"type":"invalid_request_error","message":"Incorrect key","code":"invalid_api_key"})"));
  text = error(400, kJson, R"({"error":{"code":400,"message":"Bad","status":"INVALID_ARGUMENT"}})");
  CHECK(has(text, R"("error":{"type":"INVALID_ARGUMENT","message":"Bad","code":400})"));
  CHECK(has(error(502, "Content-Type: text/html\r\n", "<html>bad gateway</html>"),
            R"("error":{"message":"<html>bad gateway</html>"})"));
  CHECK(has(error(422, kJson, R"({"detail":"no such model"})"), R"("error":{"message":"no such model"})"));
  CHECK(has(error(500, "", ""), R"("status_code":500,"success":false)"));
  text = check(openai(kAskStream, kStream,
                      "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n"
                      "data: {\"error\":{\"message\":\"overloaded\",\"type\":\"server_error\"}}\n\n"));
  CHECK(has(text, R"("success":false,"error":{"type":"server_error","message":"overloaded"})"));
  CHECK(has(check(openai(kAsk, kJson, "not json")), R"("status_code":200,"latency_ms":0,"streaming":false)"));
}

TEST_CASE("anthropic: a request with all its parts") {
  const std::string text = check(anthropic(
      R"({"model":"claude-x","max_tokens":1024,"temperature":1,"top_k":5,"stop_sequences":["x"],"thinking":{"type":"enabled","budget_tokens":2048},)"
      R"("system":[{"type":"text","text":"one"},{"type":"text","text":"two","cache_control":{"type":"ephemeral"}}],)"
      R"("messages":[{"content":"hi","role":"user"},{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"tool_use","id":"old","name":"Read","input":{}}]},)"
      R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"old","content":"old result"}]},)"
      R"({"role":"assistant","content":[{"type":"text","text":"ok"},{"type":"tool_use","id":"t1","name":"Bash","input":{"command": "ls"}},{"type":"tool_use","id":"t2","name":"Look","input":{}}]},)"
      R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","is_error":true,"content":[{"type":"text","text":"no"},{"type":"text","text":"way"}]},{"type":"tool_result","tool_use_id":"t2","content":[{"type":"image","source":{"type":"base64","media_type":"image/jpeg","data":"QUJD"}}]},)"
      R"({"type":"image","source":{"data":"AAAAAA","type":"base64","media_type":"image/png"}},{"type":"document","source":{"type":"text","media_type":"text/plain","data":"words"},"title":"t"}]}],)"
      R"("tools":[{"name":"Bash","description":"runs","input_schema":{}},{"type":"web_search_20250305","name":"web_search"}],"tool_choice":{"type":"auto"}})",
      kJson,
      R"({"id":"msg_1","type":"message","role":"assistant","model":"claude-x-1","content":[{"type":"thinking","thinking":"think","signature":"x"},{"type":"text","text":"Let me"},{"type":"tool_use","id":"t3","name":"Bash","input":{"command": "npm test", "n": 1.50}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":10,"cache_creation_input_tokens":3,"cache_read_input_tokens":7,"output_tokens":20,"service_tier":"standard"}})"));
  CHECK(has(
      text,
      R"("dialect":"anthropic.messages","messages":[{"role":"user","content":"hi","content_length":2},{"role":"assistant","parts":[{"type":"thinking","text":"hm"},{"type":"tool_use","tool_call_id":"old","name":"Read","arguments":{}}]})"));
  CHECK(has(text, R"({"type":"tool_use","tool_call_id":"t1","name":"Bash","arguments":{"command": "ls"}})"));
  CHECK(has(text, R"({"type":"tool_result","text":"no\nway","tool_call_id":"t1","is_error":true})"));
  CHECK(has(
      text,
      R"({"type":"image","media_type":"image/png","size_bytes":6},{"type":"document","text":"words","media_type":"text/plain","name":"t"})"));
  CHECK(has(
      text,
      R"("messages_count":5,"has_system_prompt":true,"system":"one\ntwo","tools":[{"name":"Bash","description":"runs"},{"name":"web_search","type":"web_search_20250305"}],"tools_count":2,"tool_choice":{"type":"auto"},"parameters":{"temperature":1,"top_k":5,"max_tokens":1024,"stop":["x"],"thinking":{"type":"enabled","budget_tokens":2048}},"has_images":true,"image_count":2)"));
  CHECK(has(text, "result t1 Bash [no\nway] 6 failed\nresult t2 Look [] 4\n"));
  CHECK_FALSE(text.find("result old") != std::string::npos);
  CHECK(has(
      text,
      R"("choices":[{"index":0,"message":{"role":"assistant","content":"Let me","content_length":6,"parts":[{"type":"thinking","text":"think"},{"type":"text","text":"Let me"},{"type":"tool_use","tool_call_id":"t3","name":"Bash","arguments":{"command": "npm test", "n": 1.50}}]},"finish_reason":"tool_use"}])"));
  CHECK(
      has(text, R"("usage":{"prompt_tokens":10,"completion_tokens":20,"cached_tokens":7,"cache_creation_tokens":3})"));
  CHECK(has(
      text,
      R"("finish_reason":"tool_calls","finish_reason_raw":"tool_use","thinking":{"content":"think","content_length":5})"));
  CHECK(has(text, "call t3 Bash tool_use {\"command\": \"npm test\", \"n\": 1.50}\n"));
}

TEST_CASE("anthropic: a streamed answer with thinking, text and tools") {
  const std::string text = check(anthropic(
      kAskStream, kStream,
      "event: message_start\ndata: "
      "{\"type\":\"message_start\",\"message\":{\"id\":\"msg_2\",\"type\":\"message\",\"role\":\"assistant\",\"model\":"
      "\"claude\",\"content\":[],\"stop_reason\":null,\"usage\":{\"input_tokens\":25,\"output_tokens\":1}}}\n\n"
      "event: content_block_start\ndata: "
      "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"thinking\",\"thinking\":\"\","
      "\"signature\":\"\"}}\n\n"
      "event: ping\ndata: {\"type\": \"ping\"}\n\n"
      "event: content_block_delta\ndata: "
      "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"So\"}}\n\n"
      "event: content_block_delta\ndata: "
      "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"signature_delta\",\"signature\":\"sig\"}}"
      "\n\n"
      "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n"
      "event: content_block_start\ndata: "
      "{\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"
      "event: content_block_delta\ndata: "
      "{\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"text_delta\",\"text\":"
      "\"Gr\xc3\xbc\xc3\x9f\\u0065\"}}\n\n"
      "event: content_block_start\ndata: "
      "{\"index\":2,\"type\":\"content_block_start\",\"content_block\":{\"type\":\"tool_use\",\"id\":\"t\",\"name\":"
      "\"Bash\",\"input\":{}}}\n\n"
      "event: content_block_delta\ndata: {\"delta\":{\"partial_json\":\"{\\\"command\\\": "
      "\\\"l\",\"type\":\"input_json_delta\"},\"index\":2,\"type\":\"content_block_delta\"}\n\n"
      "event: content_block_delta\ndata: "
      "{\"type\":\"content_block_delta\",\"index\":2,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"s\\\"}"
      "\"}}\n\n"
      "event: content_block_start\ndata: "
      "{\"type\":\"content_block_start\",\"index\":3,\"content_block\":{\"type\":\"tool_use\",\"id\":\"u\",\"name\":"
      "\"None\",\"input\":{}}}\n\n"
      "event: message_delta\ndata: "
      "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\",\"stop_sequence\":null},\"usage\":{\"output_"
      "tokens\":15}}\n\n"
      "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"));
  CHECK(has(text,
            "\"content\":\"Gr\xc3\xbc\xc3\x9f"
            "e\""));
  CHECK(has(
      text,
      R"({"type":"tool_use","tool_call_id":"t","name":"Bash","arguments":{"command": "ls"}},{"type":"tool_use","tool_call_id":"u","name":"None","arguments":{}}]},"finish_reason":"tool_use"}])"));
  CHECK(has(text, R"("usage":{"prompt_tokens":25,"completion_tokens":15})"));
  CHECK(has(text, R"("thinking":{"content":"So","content_length":2},"streaming":true,"chunk_count":14)"));
  CHECK(has(text, R"("provider_request_id":"msg_2")"));
  CHECK(has(text, "call t Bash tool_use {\"command\": \"ls\"}\ncall u None tool_use {}\n"));
}

TEST_CASE("anthropic: errors, and a tool call that breaks off") {
  AiCase one = anthropic(kAsk, "", "");
  one.response = test::answer(
      529, kJson,
      R"({"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_1"})");
  CHECK(has(
      check(one),
      R"("provider_request_id":"req_1","provider":{"name":"anthropic","endpoint":"https://api.anthropic.com/v1/messages"},"status_code":529,"success":false,"error":{"type":"overloaded_error","message":"Overloaded"})"));
  std::string text = check(anthropic(
      kAskStream, kStream,
      "data: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"role\":\"assistant\"}}\n\n"
      "data: "
      "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"tool_use\",\"id\":\"t\",\"name\":"
      "\"B\",\"input\":{}}}\n\n"
      "data: "
      "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{"
      "\\\"a\\\":\"}}\n\n"
      "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"broke\"}}\n\n"));
  CHECK(has(text, R"("success":false,"error":{"type":"api_error","message":"broke"})"));
  CHECK(has(text, R"("arguments":"{\"a\":")"));
}

TEST_CASE("openai: calls in streams, in all forms that servers give them") {
  const auto delta = [](const std::string& tools) { return R"({"choices":[{"index":0,"delta":)" + tools + "}]}"; };
  // Parallel calls under one index, told apart by their ids; a custom tool, whose input is text.
  std::string text = check(openai(
      kAskStream, kStream,
      test::events(
          {delta(R"({"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]})"),
           delta(R"({"tool_calls":[{"index":0,"id":"b","type":"function","function":{"name":"g","arguments":"{"}}]})"),
           delta(R"({"tool_calls":[{"index":0,"function":{"arguments":"}"}}]})"),
           delta(R"({"tool_calls":[{"index":1,"id":"c","type":"custom","custom":{"name":"h","input":"a "}}]})"),
           delta(R"({"tool_calls":[{"index":1,"custom":{"input":"b"}}]})"), "[DONE]"})));
  CHECK(has(text, "call a f function \"{}\"\ncall b g function \"{}\"\ncall c h custom \"a b\"\n"));
  // The form before tools.
  text = check(openai(kAskStream, kStream,
                      test::events({delta(R"({"function_call":{"name":"f","arguments":""}})"),
                                    delta(R"({"function_call":{"arguments":"{}"}})"), "[DONE]"})));
  CHECK(has(text, "call  f function \"{}\"\n"));
}

TEST_CASE("anthropic: tools of the provider's, hidden thinking, what caching cost") {
  const std::string blocks =
      R"([{"type":"redacted_thinking","data":"RU5DUllQVEVE"},{"type":"server_tool_use","id":"s1","name":"web_search","input":{"query":"bpf"}},)"
      R"({"type":"web_search_tool_result","tool_use_id":"s1","content":[{"type":"web_search_result","title":"Docs","url":"https://d","encrypted_content":"x"}]},)"
      R"({"type":"bash_code_execution_tool_result","tool_use_id":"s2","content":{"type":"bash_code_execution_result","stdout":"out","stderr":"","return_code":0,"content":[]}},)"
      R"({"type":"web_fetch_tool_result","tool_use_id":"s3","content":{"type":"web_fetch_tool_result_error","error_code":"url_not_allowed"}},)"
      R"({"type":"mcp_tool_use","id":"m1","name":"look","server_name":"files","input":{}},{"type":"mcp_tool_result","tool_use_id":"m1","is_error":false,"content":[{"type":"text","text":"seen"}]},{"type":"text","text":"Done"}])";
  const std::string usage =
      R"({"input_tokens":3,"output_tokens":9,"cache_read_input_tokens":100,"cache_creation_input_tokens":7,"cache_creation":{"ephemeral_5m_input_tokens":7,"ephemeral_1h_input_tokens":0},"server_tool_use":{"web_search_requests":1},"output_tokens_details":{"thinking_tokens":4}})";
  std::string text = check(anthropic(
      R"({"model":"c","max_tokens":9,"output_config":{"effort":"high"},"messages":[{"role":"system","content":"s"},{"role":"user","content":"u"}]})",
      kJson,
      R"({"id":"m","role":"assistant","content":)" + blocks + R"(,"stop_reason":"pause_turn","usage":)" + usage + "}"));
  CHECK(has(text, R"("has_system_prompt":true,"parameters":{"max_tokens":9,"reasoning_effort":"high"})"));
  CHECK(has(text, R"("parts":[{"type":"redacted_thinking","size_bytes":12},)"));
  CHECK(has(text, R"({"type":"web_search_tool_result","text":"Docs\nhttps://d","tool_call_id":"s1"})"));
  CHECK(has(text, R"({"type":"bash_code_execution_tool_result","text":"out","tool_call_id":"s2"})"));
  CHECK(has(text, R"({"type":"web_fetch_tool_result","text":"url_not_allowed","tool_call_id":"s3","is_error":true})"));
  CHECK(has(text, R"({"type":"mcp_tool_result","text":"seen","tool_call_id":"m1","is_error":false})"));
  CHECK(has(
      text,
      R"("usage":{"prompt_tokens":3,"completion_tokens":9,"cached_tokens":100,"cache_creation_tokens":7,"reasoning_tokens":4,"cache_creation":{"ephemeral_5m_input_tokens":7,"ephemeral_1h_input_tokens":0},"server_tool_use":{"web_search_requests":1}})"));
  CHECK(has(text, "call s1 web_search server_tool_use {\"query\":\"bpf\"}\ncall m1 look mcp_tool_use {} on files\n"));
  CHECK(has(text, R"("finish_reason":"other","finish_reason_raw":"pause_turn")"));

  text = check(anthropic(
      kAskStream, kStream,
      test::events(
          {R"({"type":"message_start","message":{"id":"m","role":"assistant","usage":{"input_tokens":3,"cache_read_input_tokens":100,"output_tokens":1}}})",
           R"({"type":"content_block_start","index":0,"content_block":{"type":"redacted_thinking","data":"RU5D"}})",
           R"({"type":"content_block_stop","index":0})",
           R"({"type":"content_block_start","index":1,"content_block":{"type":"server_tool_use","id":"s1","name":"web_search","input":{}}})",
           R"({"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"query\": \"x\"}"}})",
           R"({"type":"content_block_start","index":2,"content_block":{"type":"web_search_tool_result","tool_use_id":"s1","content":[{"type":"web_search_result","title":"T"}]}})",
           R"({"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":5,"cache_read_input_tokens":null}})",
           R"({"type":"message_stop"})"})));
  CHECK(has(
      text,
      R"("parts":[{"type":"redacted_thinking","size_bytes":4},{"type":"server_tool_use","tool_call_id":"s1","name":"web_search","arguments":{"query": "x"}},{"type":"web_search_tool_result","text":"T","tool_call_id":"s1"}])"));
  CHECK(has(text, R"("usage":{"prompt_tokens":3,"completion_tokens":5,"cached_tokens":100})"));
  CHECK(has(text, "call s1 web_search server_tool_use {\"query\": \"x\"}\n"));
}

TEST_CASE("anthropic: counting tokens sends the conversation too") {
  AiCase one = test::exchange("api.anthropic.com", "/v1/messages/count_tokens",
                              R"({"model":"c","messages":[{"role":"user","content":"how long"}]})", kJson,
                              R"({"input_tokens":2095})");
  const std::string text = check(one);
  CHECK(has(text, R"("request_type":"other","dialect":"anthropic.count_tokens")"));
  CHECK(has(text, R"("content":"how long")"));
  CHECK(has(text, R"("success":true,"usage":{"prompt_tokens":2095})"));
}

TEST_CASE("unicode escapes, lone surrogates and bytes that are not UTF-8") {
  std::string text = check(openai(
      R"({"model":"m","messages":[{"role":"user","content":"\ud83d\ude00 \ud83d \"q\" \u00e4"}]})", kJson, "{}"));
  CHECK(has(text, "\"content\":\"\xf0\x9f\x98\x80 \xef\xbf\xbd \\\"q\\\" \xc3\xa4\""));
  text =
      check(openai("{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"a\xff"
                   "b\"}]}",
                   kJson, "{}"));
  CHECK(has(text,
            "\"content\":\"a\xef\xbf\xbd"
            "b\""));
}

TEST_CASE("bodies that are not whole give what is known") {
  // Cut in the middle of the second message: half a number, half a name and half a key are not told.
  AiCase one;
  const std::string body =
      R"({"model":"gpt","messages":[{"role":"user","content":"first"},{"role":"user","content":"sec)";
  one.request = "POST /v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\nContent-Length: 10000\r\n\r\n" + body;
  std::string text = ai_transcript(one, std::string::npos, 0);
  CHECK(has(
      text,
      R"("messages":[{"role":"user","content":"first","content_length":5},{"role":"user","content":"sec","content_length":3}],"messages_count":2)"));
  CHECK(has(text, "known_endpoint request: !stream_ended response: !stream_ended\n"));
  one.request =
      "POST /v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\nContent-Length: 10000\r\n\r\n{\"temperature\":1";
  text = ai_transcript(one, std::string::npos, 0);
  CHECK_FALSE(text.find("temperature") != std::string::npos);
  one.request =
      "POST /v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\nContent-Length: 10000\r\n\r\n{\"model\":\"gpt-4";
  text = ai_transcript(one, std::string::npos, 0);
  CHECK_FALSE(text.find("gpt-4") != std::string::npos);
}

TEST_CASE("a large conversation is read in one go") {
  std::string body = R"({"model":"m","messages":[)";
  for (int i = 0; i < 30'000; ++i) {
    body += R"({"role":"user","content":"x"},)";
  }
  body.back() = ']';
  const std::string text = ai_transcript(openai(body + "}", kJson, "{}"), std::string::npos, 0);
  CHECK(has(text, "\"messages_count\":30000"));
  CHECK(has(text, "request: !body_too_large"));
}

TEST_CASE("whatever a stranger sends, the events fit a frame") {
  using test::filled;
  const std::string many_parts = filled(R"({"messages":[{"content":[)", "{},", "]}]}");
  const std::string many_calls = filled(R"({"messages":[{"role":"assistant","tool_calls":[)", "{},", "]}]}");
  const std::string long_part = filled(R"({"messages":[{"content":[{"type":"text","text":")", "words", "\"}]}]}");
  const std::string blocks = filled(R"({"content":[)", R"({"type":"tool_use","input":{}},)", "]}");
  const std::string input = filled(R"({"content":[{"type":"tool_use","input":[)", "1,", "]}]}");
  for (const std::string& request : {many_parts, many_calls, long_part}) {
    for (const std::string& response : {blocks, input}) {
      for (const AiCase& one : {openai(request, kJson, response), anthropic(request, kJson, response)}) {
        const std::string text = ai_transcript(one, std::string::npos, 0);
        CHECK(test::largest_event() < std::size_t{15} << 20);
        CHECK(has(text, "!body_too_large"));
      }
    }
  }
}

TEST_CASE("what an exchange keeps is known, and given back") {
  Exchange exchange;
  exchange.request.has_head = exchange.request.whole = true;
  exchange.request.method = "POST";
  exchange.request.target = "/v1/responses";
  exchange.request.headers.add("host", "api.openai.com");
  exchange.request.body.bytes = R"({"model":"m","stream":true,"input":")" + std::string(1 << 20, 'x') + "\"}";
  const auto ai = recognise_ai(exchange, "https");
  REQUIRE(ai != nullptr);
  CHECK(ai->held_bytes() > 1 << 20);
  ai->forget_request();
  CHECK(ai->held_bytes() < 1 << 16);
  exchange.response.has_head = true;
  exchange.response.status = 200;
  exchange.response.headers.add("content-type", "text/event-stream");
  ai->on_response_head(exchange);
  // One event without an end, and more of it than is kept.
  for (int i = 0; i < 20; ++i) {
    ai->on_response_body(exchange, (i == 0 ? "data: " : "") + std::string(1 << 20, ' '));
    CHECK(ai->held_bytes() < std::size_t{20} << 20);
  }
  CHECK(ai->held_bytes() > std::size_t{4} << 20);
  ai->on_response_body(exchange, "\n\n");
  CHECK(ai->held_bytes() < 1 << 16);
}

TEST_CASE("time to the first token and latency come from the calls") {
  test::AiListener told;
  HttpConnection connection(told, {});
  const AiCase one = openai(kAskStream, "", "");
  const auto ms = [](std::uint64_t time) {
    return CallTimes{.entry_ns = time * 1'000'000, .return_ns = time * 1'000'000};
  };
  connection.on_bytes(Direction::write, one.request, ms(1000));
  connection.on_bytes(Direction::read, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n", ms(1100));
  connection.on_bytes(Direction::read,
                      "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n",
                      ms(1200));
  connection.on_bytes(Direction::read, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n",
                      ms(1310));
  connection.on_bytes(
      Direction::read,
      "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"b\"},\"finish_reason\":\"stop\"}]}\n\n", ms(1500));
  connection.on_end(EndCause::closed);
  CHECK(has(told.text(), R"("latency_ms":500,"time_to_first_token_ms":310,)"));
}

TEST_CASE("hosts of the catalogue") {
  CHECK(find_provider("api.anthropic.com") == "anthropic");
  CHECK(find_provider("api.anthropic.com.:443") == "anthropic");
  CHECK(find_provider("eu-aiplatform.googleapis.com") == "google");
  CHECK(find_provider("bedrock-runtime.eu-west-1.amazonaws.com") == "aws_bedrock");
  CHECK(find_provider("[::1]:11434") == "ollama");
  CHECK(find_provider("[::1]").empty());
  CHECK(find_provider("localhost").empty());
  CHECK(find_provider("evil-api.openai.com.example").empty());
  CHECK(find_provider(".openai.azure.com").empty());
  CHECK(find_provider("").empty());
}

}  // namespace oisp
