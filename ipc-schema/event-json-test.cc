#include "ipc-schema/event-json.h"

#include <capnp/message.h>

#include <limits>

#include "ipc-schema/event-table.h"
#include "ipc-schema/example-events.h"
#include "ipc-schema/json-text.h"
#include "tests/catch.h"

using namespace oisp;

namespace {

std::string json_string(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

std::string parse_fault(std::string_view line) {
  capnp::MallocMessageBuilder message;
  const Status status = parse_event_json(line, message.initRoot<schema::Event>());
  return status.ok() ? "" : status.error().text();
}

// A line with its event, for tests that look at one field.
struct Made {
  capnp::MallocMessageBuilder message;
  schema::Event::Builder event = message.initRoot<schema::Event>();
  std::string line() { return render_event_json(event); }
};

std::string with_request(void (*fill)(schema::AiRequest::Builder)) {
  Made made;
  fill(made.event.getData().initAiRequest());
  return made.line();
}

}  // namespace

TEST_CASE("a string is escaped, and what is not UTF-8 is replaced") {
  CHECK(json_string("a \"b\" \\ \n\r\t") == R"("a \"b\" \\ \n\r\t")");
  CHECK(json_string(std::string_view("\0\x1b[31m\x7f", 7)) == R"("\u0000\u001b[31m\u007f")");
  CHECK(json_string("\xc2\x9b") == R"("\u009b")");
  CHECK(json_string("é 漢 🙂") == "\"é 漢 🙂\"");
  CHECK(json_string("\xff\xc3") == "\"\xef\xbf\xbd\xef\xbf\xbd\"");
  CHECK(json_string("\xed\xa0\x80") == "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");  // a surrogate
}

TEST_CASE("a byte is escaped alike wherever it stands") {
  for (int byte = 0; byte < 0x80; ++byte) {
    const std::string alone = json_string(std::string(1, static_cast<char>(byte)));
    const std::string escaped = alone.substr(1, alone.size() - 2);
    for (std::size_t at = 0; at < 18; ++at) {
      std::string text(18, '!');
      text[at] = static_cast<char>(byte);
      CHECK(json_string(text) == '"' + std::string(at, '!') + escaped + std::string(17 - at, '!') + '"');
    }
  }
}

TEST_CASE("a JSON value is told from what is not one") {
  for (const char* good : {"0", "-0.5e+10", "1e999", "true", "null", "\"\"", R"("\ud83d")", "[]", "{}", " [1, 2] ",
                           R"({"a":{"b":[{},[]]},"c":"\u00e9"})"}) {
    CAPTURE(good);
    CHECK(is_json_value(good));
  }
  for (const char* bad :
       {"",           " ",      "01",      "1.",        "+1",       ".5",       "1e",      "tru",      "nul",
        "\"",         "\"\n\"", R"("\x")", R"("\u12")", "[1,]",     "[,1]",     "{\"a\"}", "{\"a\":}", "{a:1}",
        "{\"a\":1,}", "[1}",    "1 2",     "[",         "{\"a\":[", "\"\xff\"", "\xc2\xa0"}) {
    CAPTURE(bad);
    CHECK_FALSE(is_json_value(bad));
  }
  CHECK(is_json_value(std::string(kMostJsonNesting, '[') + std::string(kMostJsonNesting, ']')));
  CHECK_FALSE(is_json_value(std::string(kMostJsonNesting + 1, '[') + std::string(kMostJsonNesting + 1, ']')));
}

TEST_CASE("raw values are written as sent") {
  CHECK(with_request([](auto data) { data.initParameters().setTemperature("0.70000000000000001"); }) ==
        R"({"event_type":"ai.request","data":{"parameters":{"temperature":0.70000000000000001}}})");
  CHECK(with_request([](auto data) { data.setToolChoice("{\n  \"a\": \"\\ud83d\"\r\n}"); }) ==
        R"({"event_type":"ai.request","data":{"tool_choice":{   "a": "\ud83d"  }}})");
  CHECK(with_request([](auto data) { data.setToolChoice("{\"half\":"); }) ==
        R"({"event_type":"ai.request","data":{"tool_choice":"{\"half\":"}})");
  CHECK(with_request([](auto data) { data.setToolChoice("\"\xc2\x9b\x7f\""); }) ==
        R"({"event_type":"ai.request","data":{"tool_choice":"\u009b\u007f"}})");
}

TEST_CASE("absent is absent, and zero is not") {
  CHECK(with_request([](auto data) {
          data.setRequestId("");
          data.setMessagesCount(0);
          data.initModel();
          data.initMessages(1);
          data.initTools(0);
          data.setStreaming(schema::Tri::NO);
        }) ==
        R"({"event_type":"ai.request","data":{"request_id":"","streaming":false,"messages":[{}],"messages_count":0}})");
  Made made;
  made.event.initProcess();
  made.event.getData().initProcessFork();
  CHECK(made.line() == R"({"event_type":"process.fork","process":{"pid":0},"data":{"child_pid":0}})");
}

TEST_CASE("times are RFC 3339 with the fraction they have") {
  const auto at = [](std::uint64_t ns) {
    Made made;
    made.event.setTs(ns);
    made.event.getData().initSensorStop();
    return made.line();
  };
  const auto expect = [&](std::uint64_t ns, const std::string& ts) {
    CHECK(at(ns) == R"({"event_type":"sensor.stop","ts":")" + ts + R"(","data":{}})");
  };
  expect(1'767'434'400'000'000'000, "2026-01-03T10:00:00Z");
  expect(1'709'164'799'120'000'000, "2024-02-28T23:59:59.120Z");
  expect(1'709'164'800'000'001'000, "2024-02-29T00:00:00.000001Z");
  expect(1, "1970-01-01T00:00:00.000000001Z");
}

TEST_CASE("each example survives rendering, parsing and rendering") {
  REQUIRE(event_table().types.size() == kExampleCount + 1);
  for (std::size_t i = 0; i < kExampleCount; ++i) {
    Made made;
    build_example_event(i, made.event);
    const std::string line = made.line();
    CAPTURE(line);
    CHECK(line.find("\"event_type\":\"" + event_table().types[i + 1].name + '"') != std::string::npos);
    Made again;
    const Status status = parse_event_json(line, again.event);
    CAPTURE(status.ok() ? "" : status.error().text());
    REQUIRE(status.ok());
    CHECK(again.line() == line);
  }
}

TEST_CASE("what the schema does not know is named") {
  CHECK(parse_fault("") == "not a JSON object");
  CHECK(parse_fault("[]") == "not a JSON object");
  CHECK(parse_fault("{}") == "no \"event_type\"");
  CHECK(parse_fault(R"({"event_type":"ai.unknown"})") == "unknown event type \"ai.unknown\"");
  CHECK(parse_fault(R"({"event_type":"sensor.stop","colour":1})") == "unknown key \"colour\"");
  CHECK(parse_fault(R"({"event_type":"sensor.stop","data":{"x":1}})") == "unknown key \"x\"");
  CHECK(parse_fault(R"({"event_type":"sensor.stop","data":{"reason":1}})") == "\"reason\" is not a string");
  CHECK(parse_fault(R"({"event_type":"sensor.stop","data":{"command_exit_code":4294967296}})") ==
        "\"command_exit_code\" is not a whole number that fits");
  CHECK(parse_fault(R"({"event_type":"ai.request","data":{"streaming":"true"}})") ==
        "\"streaming\" is not one of its words");
  CHECK(parse_fault(R"({"event_type":"sensor.stop","ts":"2026-02-30T00:00:00Z"})").find("\"ts\" is not a time") == 0);
  CHECK(parse_fault(R"({"event_type":"sensor.stop","data":{},"data":{}})") == "\"data\" stands there twice");
  CHECK(parse_fault(R"({"event_type":"sensor.stop"} {})") != "");
  CHECK(parse_fault(R"({"event_type":"sensor.stop")") != "");
  CHECK(parse_fault("{\"event_type\":\"sensor.stop\",\"\\u001b[31m\":1}") == "unknown key \"\\x1b[31m\"");
}

TEST_CASE("keys may come in any order") {
  Made made;
  REQUIRE(parse_event_json(R"({"data":{"reason":"failed"},"event_id":"X","event_type":"sensor.stop"})", made.event));
  CHECK(made.line() == R"({"event_id":"X","event_type":"sensor.stop","data":{"reason":"failed"}})");
}
