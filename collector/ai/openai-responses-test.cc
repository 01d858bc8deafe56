#include "collector/ai/test-exchanges.h"

namespace oisp {
namespace {

using test::AiCase;
using test::check;
using test::events;
using test::has;
using test::lacks;

AiCase responses(const std::string& body, const std::string& headers, const std::string& response) {
  return test::exchange("api.openai.com", "/v1/responses", body, headers, response);
}

constexpr const char* kAsk = R"({"model":"gpt-5","input":"hi"})";
constexpr const char* kAskStream = R"({"model":"gpt-5","input":"hi","stream":true})";
constexpr const char* kUsage =
    R"("usage":{"input_tokens":81,"input_tokens_details":{"cached_tokens":64,"cache_write_tokens":5},"output_tokens":35,"output_tokens_details":{"reasoning_tokens":12},"total_tokens":116})";

std::string event(const std::string& type, const std::string& fields) {
  return R"({"type":"response.)" + type + R"(","sequence_number":1,)" + fields + "}";
}
std::string status(const std::string& word, const std::string& more = {}) {
  return event(word, R"("response":{"id":"resp_1","object":"response","model":"gpt-5-2026","status":")" + word +
                         R"(","output":[])" + more + "}");
}

// A stream with reasoning, words and a call, as deltas. The items in it whole, if wanted.
std::vector<std::string> story(bool whole) {
  std::vector<std::string> all = {
      status("created"),
      status("in_progress"),
      event("output_item.added",
            R"("output_index":0,"item":{"id":"rs_1","type":"reasoning","encrypted_content":"RU5D","summary":[]})"),
      event("reasoning_summary_part.added", R"("item_id":"rs_1","output_index":0,"summary_index":0,"part":{})"),
      event("reasoning_summary_text.delta",
            R"("item_id":"rs_1","output_index":0,"summary_index":0,"delta":"Think ","obfuscation":"x")"),
      event("reasoning_summary_text.delta", R"("item_id":"rs_1","output_index":0,"summary_index":0,"delta":"hard")"),
      event("reasoning_summary_text.done",
            R"("item_id":"rs_1","output_index":0,"summary_index":0,"text":"Think hard")"),
      event("reasoning_summary_text.delta", R"("item_id":"rs_1","output_index":0,"summary_index":1,"delta":"Again")")};
  const auto add = [&](const std::string& one) { all.push_back(one); };
  if (whole) {
    add(event(
        "output_item.done",
        R"("output_index":0,"item":{"id":"rs_1","type":"reasoning","encrypted_content":"RU5D","summary":[{"type":"summary_text","text":"Think hard"},{"type":"summary_text","text":"Again"}]})"));
  }
  add(event(
      "output_item.added",
      R"("output_index":1,"item":{"id":"msg_1","type":"message","status":"in_progress","content":[],"role":"assistant"})"));
  add(event("content_part.added",
            R"("item_id":"msg_1","output_index":1,"content_index":0,"part":{"type":"output_text","text":""})"));
  add(event("output_text.delta", R"("item_id":"msg_1","output_index":1,"content_index":0,"delta":"Gr\u00fc\u00df")"));
  add(event(
      "output_item.added",
      R"("output_index":2,"item":{"id":"fc_1","type":"function_call","arguments":"","call_id":"call_1","name":"f"})"));
  add(event("output_text.delta", R"("item_id":"msg_1","output_index":1,"content_index":0,"delta":"e \"you\"")"));
  add(event("function_call_arguments.delta", R"("item_id":"fc_1","output_index":2,"delta":"{\"a\": ")"));
  add(event("function_call_arguments.delta", R"("item_id":"fc_1","output_index":2,"delta":"1}")"));
  if (whole) {
    add(event(
        "output_item.done",
        R"("output_index":2,"item":{"id":"fc_1","type":"function_call","arguments":"{\"a\": 1}","call_id":"call_1","name":"f","status":"completed"})"));
    add(event(
        "output_item.done",
        R"("output_index":1,"item":{"id":"msg_1","type":"message","content":[{"type":"output_text","annotations":[],"text":"Gr\u00fc\u00dfe \"you\""}],"role":"assistant"})"));
  }
  return all;
}

}  // namespace

TEST_CASE("responses: a request of one text") {
  const std::string text = check(responses(
      R"({"model":"gpt-5","input":"hi","instructions":"be kind","previous_response_id":"resp_0","conversation":{"id":"conv_1"},"max_output_tokens":1e2,"temperature":0.70,"parallel_tool_calls":false,"store":true,)"
      R"("reasoning":{"effort":"high","summary":"auto"},"text":{"format":{"type":"json_object"},"verbosity":"low"},"tools":[{"type":"function","name":"f","description":"does","parameters":{}},{"type":"web_search"},{"type":"mcp","server_label":"files"}],"tool_choice":"auto"})",
      test::kJson,
      R"({"id":"resp_1","object":"response","status":"completed","error":null,"incomplete_details":null,"instructions":"be kind","model":"gpt-5-2026","output":[{"type":"reasoning","id":"rs","summary":[]},{"id":"msg_1","type":"message","role":"assistant","content":[{"type":"output_text","text":"Hello","annotations":[]},{"type":"output_text","text":"you"}]}],"service_tier":"default",)" +
          std::string(kUsage) + "}"));
  CHECK(has(
      text,
      R"("model":{"id":"gpt-5"},"request_type":"chat","dialect":"openai.responses","messages":[{"role":"user","content":"hi","content_length":2}],"messages_count":1,"has_system_prompt":true,"system":"be kind","tools":[{"name":"f","type":"function","description":"does"},{"type":"web_search"},{"type":"mcp"}],"tools_count":3,"tool_choice":"auto")"));
  CHECK(has(
      text,
      R"("parameters":{"temperature":0.70,"max_tokens":1e2,"reasoning_effort":"high","response_format":{"type":"json_object"},"parallel_tool_calls":false,"store":true})"));
  CHECK(has(text, R"("previous_response_id":"resp_0","conversation_id":"conv_1"})"));
  CHECK(has(
      text,
      R"("provider_request_id":"resp_1","provider":{"name":"openai","endpoint":"https://api.openai.com/v1/responses"},"model":{"id":"gpt-5-2026"},"status_code":200,"success":true,"choices":[{"index":0,"message":{"role":"assistant","content":"Hello\nyou","content_length":9,"parts":[{"type":"reasoning","tool_call_id":"rs"},{"type":"output_text","text":"Hello"},{"type":"output_text","text":"you"}]},"finish_reason":"completed"}],"tool_calls_count":0)"));
  CHECK(has(
      text,
      R"("usage":{"prompt_tokens":81,"completion_tokens":35,"total_tokens":116,"cached_tokens":64,"cache_creation_tokens":5,"reasoning_tokens":12})"));
  CHECK(has(text,
            R"("finish_reason":"stop","finish_reason_raw":"completed","streaming":false,"service_tier":"default")"));
}

TEST_CASE("responses: a request of items, and which results in it are new") {
  const std::string text = check(responses(
      R"({"model":"gpt-5","input":[{"role":"developer","content":"rules"},{"type":"message","role":"user","content":[{"type":"input_text","text":"what is this"},{"type":"input_image","image_url":"data:image/png;base64,AAAA","detail":"auto"},{"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,AAAAAAAA"}]},)"
      R"({"type":"function_call","call_id":"c0","name":"old","arguments":"{}"},{"type":"function_call_output","call_id":"c0","output":"old result"},)"
      R"({"type":"reasoning","id":"rs","summary":[{"type":"summary_text","text":"so"}],"content":[{"type":"reasoning_text","text":"long"}],"encrypted_content":"QUJDREVG"},)"
      R"({"type":"function_call","id":"fc","call_id":"c1","name":"f","arguments":"{\"a\": 1}"},{"call_id":"c2","type":"custom_tool_call","name":"patch","input":"*** Begin"},{"type":"local_shell_call","id":"ls","call_id":"c3","status":"completed","action":{"type":"exec","command":["ls", "-l"],"env":{}}},{"type":"shell_call","call_id":"c4","action":{"commands":["id"]}},)"
      R"({"type":"function_call_output","call_id":"c1","output":[{"type":"input_text","text":"one"},{"type":"input_image","image_url":"data:image/png;base64,AAAAAA"},{"type":"input_text","text":"two"}]},{"type":"custom_tool_call_output","call_id":"c2","output":"Done!"},{"type":"local_shell_call_output","id":"c3","output":"total 0"},{"type":"shell_call_output","call_id":"c4","output":[{"stdout":"uid=0","stderr":"","outcome":{"type":"exit","exit_code":0}}]},{"type":"apply_patch_call_output","call_id":"c5","status":"failed","output":"no such file"},)"
      R"({"type":"computer_call_output","call_id":"c6","output":{"type":"computer_screenshot","image_url":"data:image/png;base64,AAAAAAAA"}},{"type":"mcp_approval_response","approval_request_id":"m1","approve":false},{"type":"item_reference_of_tomorrow","id":"x"}]})",
      test::kJson, "{}"));
  CHECK(has(text, R"("messages":[{"role":"developer","content":"rules","content_length":5},)"));
  CHECK(has(
      text,
      R"({"role":"user","content":"what is this","content_length":12,"parts":[{"type":"input_text","text":"what is this"},{"type":"input_image","media_type":"image/png","size_bytes":4},{"type":"input_file","media_type":"application/pdf","size_bytes":8,"name":"a.pdf"}]})"));
  CHECK(has(text,
            R"({"role":"assistant","parts":[{"type":"reasoning","text":"so","size_bytes":8,"tool_call_id":"rs"}]})"));
  CHECK(has(
      text,
      R"({"role":"assistant","tool_calls":[{"id":"c1","name":"f","type":"function_call","arguments":"{\"a\": 1}"}]},{"role":"assistant","tool_calls":[{"id":"c2","name":"patch","type":"custom_tool_call","arguments":"*** Begin"}]},{"role":"assistant","tool_calls":[{"id":"c3","name":"local_shell","type":"local_shell_call","arguments":{"type":"exec","command":["ls", "-l"],"env":{}}}]})"));
  CHECK(has(text, R"({"role":"tool","content":"one\ntwo","content_length":7,"parts":[{"type":"input_image",)"));
  CHECK(has(text, R"({"parts":[{"type":"mcp_approval_response","tool_call_id":"m1","is_error":true}]})"));
  CHECK(has(text, R"("messages_count":17,"has_system_prompt":true)"));
  CHECK(has(text, R"("has_images":true,"image_count":3)"));
  CHECK(has(text,
            "result c1 f [one\ntwo] 13\nresult c2 patch [Done!] 5\nresult c3 local_shell [total 0] 7\n"
            "result c4 shell [uid=0] 5\nresult c5  [no such file] 12 failed\nresult c6  [] 8\n"));
  CHECK(lacks(text, "result c0"));
}

TEST_CASE("responses: tools of the provider's, and of the program's") {
  const std::string text = check(responses(
      kAsk, test::kJson,
      R"({"id":"r","status":"completed","output":[{"type":"web_search_call","id":"ws","status":"completed","action":{"type":"search","query":"bpf"}},)"
      R"({"type":"file_search_call","id":"fs","queries":["q"],"results":[{"file_id":"f1","filename":"a.md","score":0.9,"text":"found"}]},)"
      R"x({"type":"code_interpreter_call","id":"ci","code":"print(1)","container_id":"k","outputs":[{"type":"logs","logs":"1"},{"type":"image","url":"https://i"}]},)x"
      R"({"type":"computer_call","id":"cc","call_id":"c6","action":{"type":"screenshot"}},{"type":"image_generation_call","id":"ig","status":"completed","result":"QUJDREVG"},)"
      R"({"type":"mcp_list_tools","id":"ml","server_label":"files","tools":[{"name":"t"}]},{"type":"mcp_approval_request","id":"ma","name":"rm","server_label":"files","arguments":"{}"},)"
      R"({"type":"mcp_call","id":"mc","name":"ls","server_label":"files","arguments":"{}","output":"a b","error":null},{"type":"mcp_call","id":"me","name":"cat","server_label":"files","arguments":"{}","output":null,"error":"denied"},)"
      R"({"type":"local_shell_call","id":"l","call_id":"c3","action":{"type":"exec","command":["ls"]}},{"type":"custom_tool_call","call_id":"c2","name":"patch","input":"*** \n"},{"type":"apply_patch_call","call_id":"c5","operation":{"type":"delete_file","path":"x"}},{"type":"something_new","id":"n"}]})"));
  CHECK(has(text,
            "call ws web_search web_search_call {\"type\":\"search\",\"query\":\"bpf\"}\ncall fs file_search "
            "file_search_call "
            "[\"q\"]\ncall ci code_interpreter code_interpreter_call \"print(1)\"\ncall c6 computer computer_call "
            "{\"type\":\"screenshot\"}\ncall ig image_generation image_generation_call \ncall mc ls mcp_call \"{}\" on "
            "files\ncall me cat mcp_call \"{}\" on files\ncall c3 local_shell local_shell_call "
            "{\"type\":\"exec\",\"command\":[\"ls\"]}\ncall c2 patch custom_tool_call \"*** \\n\"\ncall c5 apply_patch "
            "apply_patch_call {\"type\":\"delete_file\",\"path\":\"x\"}\n"));
  CHECK(
      has(text,
          R"({"type":"file_search_call","text":"found","tool_call_id":"fs","name":"file_search","arguments":["q"]})"));
  CHECK(has(text, R"({"type":"code_interpreter_call","text":"1",)"));
  CHECK(has(text, R"({"type":"image_generation_call","size_bytes":8,"tool_call_id":"ig","name":"image_generation"})"));
  CHECK(has(text, R"({"type":"mcp_approval_request","tool_call_id":"ma","name":"rm","arguments":"{}"})"));
  CHECK(has(text, R"({"type":"mcp_call","text":"a b","tool_call_id":"mc","name":"ls","arguments":"{}"})"));
  CHECK(
      has(text,
          R"({"type":"mcp_call","text":"denied","tool_call_id":"me","name":"cat","arguments":"{}","is_error":true})"));
  CHECK(has(text, R"({"type":"something_new","tool_call_id":"n"})"));
  CHECK(has(text, R"("finish_reason":"tool_calls","finish_reason_raw":"completed")"));
}

TEST_CASE("responses: a stream says the same, whole items or deltas alone") {
  for (const bool whole : {true, false}) {
    for (const bool repeated : {true, false}) {
      std::vector<std::string> all = story(whole);
      std::string output = R"("output":[])";
      if (repeated) {
        output =
            R"("output":[{"id":"rs_1","type":"reasoning","encrypted_content":"RU5D","summary":[{"type":"summary_text","text":"Think hard"},{"type":"summary_text","text":"Again"}]},{"id":"msg_1","type":"message","content":[{"type":"output_text","text":"Gr\u00fc\u00dfe \"you\""}],"role":"assistant"},{"id":"fc_1","type":"function_call","arguments":"{\"a\": 1}","call_id":"call_1","name":"f"}])";
      }
      all.push_back(event("completed", R"("response":{"id":"resp_1","model":"gpt-5-2026","status":"completed",)" +
                                           output + "," + kUsage + "}"));
      const std::string text = check(responses(kAskStream, test::kStream, events(all)));
      INFO("whole " << whole << " repeated " << repeated);
      CHECK(has(text,
                "\"message\":{\"role\":\"assistant\",\"content\":\"Gr\xc3\xbc\xc3\x9f"
                "e \\\"you\\\"\",\"content_length\":13,"));
      CHECK(has(text, R"({"type":"reasoning","text":"Think hard\nAgain","size_bytes":4,"tool_call_id":"rs_1"})"));
      CHECK(has(text, R"({"type":"function_call","tool_call_id":"call_1","name":"f","arguments":"{\"a\": 1}"}]})"));
      CHECK(has(text, R"("thinking":{"content":"Think hard\nAgain","content_length":16},"streaming":true)"));
      CHECK(has(text, R"("success":true)"));
      CHECK(has(text, R"("total_tokens":116,"cached_tokens":64)"));
      CHECK(has(text, R"("finish_reason":"tool_calls","finish_reason_raw":"completed")"));
      CHECK(has(text, "call call_1 f function_call \"{\\\"a\\\": 1}\"\nknown_endpoint request: response:\n"));
    }
  }
}

TEST_CASE("responses: streams of the provider's tools") {
  const std::string text = check(responses(
      kAskStream, test::kStream,
      events(
          {status("created"),
           event("output_item.added",
                 R"("output_index":0,"item":{"id":"ws","type":"web_search_call","status":"in_progress"})"),
           event("web_search_call.searching", R"("output_index":0,"item_id":"ws")"),
           event(
               "output_item.done",
               R"("output_index":0,"item":{"id":"ws","type":"web_search_call","status":"completed","action":{"type":"search","query":"q"}})"),
           event("output_item.added",
                 R"("output_index":1,"item":{"id":"ci","type":"code_interpreter_call","code":""})"),
           event("code_interpreter_call_code.delta", R"("output_index":1,"item_id":"ci","delta":"1+")"),
           event("code_interpreter_call_code.delta", R"("output_index":1,"item_id":"ci","delta":"1")"),
           event(
               "output_item.added",
               R"("output_index":2,"item":{"id":"mc","type":"mcp_call","name":"ls","server_label":"s","arguments":""})"),
           event("mcp_call_arguments.delta", R"("output_index":2,"item_id":"mc","delta":"{}")"),
           event(
               "output_item.added",
               R"("output_index":3,"item":{"id":"ct","call_id":"c","type":"custom_tool_call","name":"p","input":""})"),
           event("custom_tool_call_input.delta", R"("output_index":3,"item_id":"ct","delta":"x\n")"),
           event("image_generation_call.partial_image",
                 R"("output_index":4,"item_id":"ig","partial_image_b64":"QUJD")"),
           event("output_item.done",
                 R"("output_index":4,"item":{"id":"ig","type":"image_generation_call","result":"QUJD"})"),
           status("completed")})));
  CHECK(has(text,
            "call ws web_search web_search_call {\"type\":\"search\",\"query\":\"q\"}\ncall ci code_interpreter "
            "code_interpreter_call \"1+1\"\ncall mc ls mcp_call \"{}\" on s\ncall c p custom_tool_call \"x\\n\"\ncall "
            "ig image_generation image_generation_call \n"));
}

TEST_CASE("responses: how an answer ends") {
  const auto end = [](const std::vector<std::string>& last) {
    std::vector<std::string> all = story(false);
    all.insert(all.end(), last.begin(), last.end());
    return check(responses(kAskStream, test::kStream, events(all)));
  };
  std::string text = end({status("incomplete", R"(,"incomplete_details":{"reason":"max_output_tokens"})")});
  CHECK(has(text, R"("success":true)"));
  CHECK(has(text, R"("finish_reason":"length","finish_reason_raw":"max_output_tokens")"));
  text = end({status("failed", R"(,"error":{"code":"server_error","message":"It broke"})")});
  CHECK(has(text, R"("success":false,"error":{"message":"It broke","code":"server_error"})"));
  CHECK(has(text, R"("finish_reason":"error","finish_reason_raw":"failed")"));
  text = end({status("failed")});
  CHECK(has(text, R"("success":false,"choices")"));
  text = end({R"({"type":"error","code":"rate_limit_exceeded","message":"Slow down","param":null})"});
  CHECK(has(text, R"("success":false,"error":{"message":"Slow down","code":"rate_limit_exceeded"})"));
  // It breaks off: what came is there.
  text = end({});
  CHECK(has(text, R"("success":false,"choices")"));
  CHECK(has(text, "call call_1 f function_call \"{\\\"a\\\": 1}\"\nknown_endpoint request: response: !stream_ended\n"));
  // Refused; in the background; nothing at all.
  text = check(responses(
      kAskStream, test::kStream,
      events({event("refusal.delta", R"("output_index":0,"content_index":0,"delta":"I ")"),
              event("refusal.delta", R"("output_index":0,"content_index":0,"delta":"won't")"), status("completed")})));
  CHECK(has(text, R"("parts":[{"type":"refusal","text":"I won't"}],"refusal":"I won't")"));
  text = check(responses(R"({"model":"m","input":"x","background":true})", test::kJson,
                         R"({"id":"resp_9","status":"queued","output":[]})"));
  CHECK(has(text, R"("success":true)"));
  CHECK(has(text, R"("finish_reason":"other","finish_reason_raw":"queued")"));
  CHECK(has(check(responses(kAsk, test::kJson, "{}")), R"("status_code":200,"success":true,"latency_ms":0)"));
}

TEST_CASE("responses: what lies beside it") {
  std::string text = check(test::exchange("api.openai.com", "/v1/responses/input_tokens", kAsk, test::kJson,
                                          R"({"object":"response.input_tokens","input_tokens":11})"));
  CHECK(has(text, R"("request_type":"other","dialect":"openai.responses.input_tokens")"));
  CHECK(has(text, R"("usage":{"prompt_tokens":11})"));
  text = check(test::exchange(
      "api.openai.com", "/v1/responses/compact", kAsk, test::kJson,
      R"({"id":"c","object":"response.compaction","output":[{"type":"message","role":"user","content":[{"type":"input_text","text":"hi"}]},{"type":"compaction","id":"cm","encrypted_content":"QUJD"}],"usage":{"input_tokens":1}})"));
  CHECK(has(text, R"("dialect":"openai.responses.compact")"));
  CHECK(has(text, R"({"type":"compaction","size_bytes":4,"tool_call_id":"cm"})"));
}

TEST_CASE("responses: whatever is in them, the events fit a frame") {
  const std::vector<std::string> items = {
      R"({"type":"x_call"},)",
      R"({"type":"function_call","name":"a","call_id":"b","arguments":"{}"},)",
      R"({"role":"user","content":[{"type":"input_text","text":"x"}]},)",
      R"({"type":"y_output","output":[{"text":"z"},{"image_url":"u"}]},)",
      R"({"type":"reasoning","id":"r","summary":[{"text":"s"},{"text":"s"}]},)",
      R"({"type":")" + std::string(1 << 20, 't') + R"(_call","id":")" + std::string(1 << 19, 'i') + R"("},)",
      R"({"type":"function_call","arguments":{"a":")" + std::string(1 << 20, 'a') + R"("}},)",
      R"({"role":"assistant","content":[{"type":"output_text","text":")" + std::string(1 << 20, 'w') + R"("}]},)"};
  for (const std::string& item : items) {
    INFO(item.substr(0, 80));
    test::check_bounds(responses(test::filled(R"({"model":"m","input":[)", item, "]}"), test::kJson,
                                 test::filled(R"({"status":"completed","output":[)", item, "]}")));
  }
}

TEST_CASE("responses: hostile streams end in time, and say what is missing") {
  // Wrong types, items that nobody announced, numbers without end, half events.
  const std::string text = check(responses(
      kAskStream, test::kStream,
      events(
          {"7", "[]", R"({"type":7})", R"({"type":"response.output_text.delta"})",
           event("output_text.delta", R"("output_index":-9,"content_index":"a","delta":{"a":[1]})"),
           event("output_text.delta", R"("output_index":99999999999999999999,"content_index":0,"delta":"lost")"),
           event("output_item.added", R"("output_index":1,"item":[])"),
           event(
               "output_item.done",
               R"("output_index":1,"item":{"type":{},"content":7,"summary":{},"output":3,"role":[],"error":{"a":[]}})"),
           event("completed", R"("response":[1,2])"), R"({"type":"response.output_text.del)"})));
  CHECK(has(text, "!malformed"));
  CHECK(has(text, "lost"));

  // More items, and more texts in an item, than are kept.
  for (const char* const index : {"output_index", "content_index"}) {
    std::string stream;
    for (int i = 0; i < 60'000; ++i) {
      stream += "data: " +
                event("output_text.delta", "\"" + std::string(index) + "\":" + std::to_string(i) + R"(,"delta":"x")") +
                "\n\n";
    }
    const std::string many = test::ai_transcript(responses(kAskStream, test::kStream, stream), std::string::npos, 0);
    CHECK(has(many, "!body_too_large"));
    CHECK(test::largest_event() < std::size_t{15} << 20);
  }

  // A deep one.
  std::string deep =
      R"({"type":"response.output_item.done","output_index":0,"item":{"type":"function_call","arguments":)";
  deep.append(100'000, '[').append(100'000, ']').append("}}");
  CHECK(has(test::ai_transcript(responses(kAskStream, test::kStream, events({deep})), std::string::npos, 0),
            "!malformed"));
}

}  // namespace oisp
