// HTTP without TLS, from the records of sockets to events.
#include "collector/limits.h"
#include "collector/test-run.h"

namespace oisp::test {
namespace {

constexpr std::uint64_t kCookie = 900;

std::uint64_t session_of(std::uint64_t cookie) { return OISP_SESSION_IS_SOCKET | cookie; }

std::string message(std::string_view first_line, std::string_view body) {
  return std::string(first_line) + "\r\nHost: localhost:11434\r\nContent-Type: application/json\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

std::string request_text() {
  return message("POST /api/chat HTTP/1.1",
                 R"({"model":"qwen3","stream":false,"messages":[{"role":"user","content":"Why?"}]})");
}

std::string response_text() {
  return message("HTTP/1.1 200 OK",
                 R"({"model":"qwen3","message":{"role":"assistant","content":"Because."},"done":true,)"
                 R"("done_reason":"stop","prompt_eval_count":9,"eval_count":2})");
}

// As the kernel tells of a socket that it takes.
void take_socket(SpanMaker& records, Who who, std::uint64_t at, std::uint64_t cookie, bool accepted = false) {
  records.session(who, at, session_of(cookie), OISP_SESSION_NEW);
  records.connection(who, at, cookie, OISP_CONNECTION_ESTABLISHED, 11434, 0, 0, 0, accepted);
  records.socket(who, at, session_of(cookie), cookie);
}

struct Recorded : Run {
  Recorded() {
    connect_exporter();
    connect_helper();
    begin();
    records.exec({}, kSecond, "/usr/bin/ollama", "ollama");
  }
};

}  // namespace

TEST_CASE("a socket without TLS gives the same events, and says so") {
  Recorded run;
  take_socket(run.records, {}, 2 * kSecond, kCookie);
  run.records.data({}, 3 * kSecond, session_of(kCookie), OISP_DIRECTION_WRITE, 0, request_text(), OISP_FLAG_STREAM_NEW);
  run.records.data({}, 4 * kSecond, session_of(kCookie), OISP_DIRECTION_READ, 0, response_text());
  run.records.session({}, 5 * kSecond, session_of(kCookie), OISP_SESSION_SHUTDOWN);
  run.records.connection({}, 5 * kSecond, kCookie, OISP_CONNECTION_CLOSED, 11434);
  run.send_records();
  run.finish();
  const std::string request = run.only("ai.request");
  INFO(request);
  CHECK(has(request, R"("capture_method":"ebpf_tracepoint","capture_point":"socket_write")"));
  CHECK(has(request, R"("reasons":["plaintext_capture"],"content_source":"plaintext_capture")"));
  CHECK(has(request, R"("scheme":"http")"));
  CHECK(has(request, R"("role":"client")"));
  CHECK(has(request, R"("remote":{"ip":"203.0.113.9","port":11434},"confidence":"socket")"));
  const std::string response = run.only("ai.response");
  INFO(response);
  CHECK(has(response, R"("capture_point":"socket_read")"));
  CHECK(has(response, R"("completeness":"full")"));
  CHECK(has(response, "Because."));
  CHECK(run.of("tls.handshake").empty());
  CHECK(run.of("network.connect").size() == 1);
  const std::string coverage = run.only("sensor.coverage");
  INFO(coverage);
  CHECK(has(coverage, R"("tls_connections":0,"tls_connections_read":0,"streams":1)"));
  CHECK(has(coverage, R"("plain_connections":1)"));
  CHECK_FALSE(has(coverage, "blind_spots"));
}

TEST_CASE("a server of models is told of as what answers, and never as what connects") {
  Recorded run;
  take_socket(run.records, {}, 2 * kSecond, kCookie, true);
  run.records.data({}, 3 * kSecond, session_of(kCookie), OISP_DIRECTION_READ, 0, request_text(), OISP_FLAG_STREAM_NEW);
  run.records.data({}, 4 * kSecond, session_of(kCookie), OISP_DIRECTION_WRITE, 0, response_text());
  run.send_records();
  run.finish();
  CHECK(has(run.only("ai.request"), R"("capture_point":"socket_read")"));
  CHECK(has(run.only("ai.request"), R"("role":"server")"));
  CHECK(has(run.only("ai.response"), R"("capture_point":"socket_write")"));
  CHECK(run.of("network.connect").empty());
}

TEST_CASE("bytes that passed unseen are missing in their place, and named") {
  Recorded run;
  const std::string response = response_text();
  const auto head = response.find("\r\n\r\n") + 4;
  const auto body = static_cast<std::uint32_t>(response.size() - head);
  take_socket(run.records, {}, 2 * kSecond, kCookie);
  run.records.data({}, 3 * kSecond, session_of(kCookie), OISP_DIRECTION_WRITE, 0, request_text(), OISP_FLAG_STREAM_NEW);
  run.records.data({}, 4 * kSecond, session_of(kCookie), OISP_DIRECTION_READ, 0, response.substr(0, head));
  run.records.data({}, 5 * kSecond, session_of(kCookie), OISP_DIRECTION_READ, head, "",
                   OISP_FLAG_UNSEEN | OISP_FLAG_LAST_OF_CALL, body);
  run.records.data({}, 6 * kSecond, session_of(kCookie), OISP_DIRECTION_WRITE, request_text().size(), request_text());
  run.records.data({}, 7 * kSecond, session_of(kCookie), OISP_DIRECTION_READ, head + body, response_text());
  run.send_records();
  run.finish();
  const auto responses = run.of("ai.response");
  REQUIRE(responses.size() == 2);
  INFO(responses[0]);
  CHECK(has(responses[0], R"("incomplete":["unseen_call"])"));
  CHECK(has(responses[1], R"("completeness":"full")"));
  const std::string coverage = run.only("sensor.coverage");
  CHECK(has(coverage, R"("reason":"unseen_call")"));
  CHECK(has(run.only("sensor.loss"), R"("lost":0,"lost_bytes":0)"));
}

TEST_CASE("what only begins like a model server is asked to be ignored") {
  Recorded run;
  const std::string asked = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
  const std::string answered = message("HTTP/1.1 200 OK", "{}");
  take_socket(run.records, {}, 2 * kSecond, 1);
  for (std::uint32_t i = 0; i <= limits::kMostOtherExchanges; ++i) {
    run.records.data({}, (3 + i) * kSecond, session_of(1), OISP_DIRECTION_WRITE, i * asked.size(), asked);
    run.records.data({}, (3 + i) * kSecond + 5000, session_of(1), OISP_DIRECTION_READ, i * answered.size(), answered);
  }
  take_socket(run.records, {}, 2 * kSecond, 2);
  run.records.data({}, 3 * kSecond, session_of(2), OISP_DIRECTION_WRITE, 0, "HELO there\r\n");
  // One on which a model is asked may say what else it likes.
  take_socket(run.records, {}, 2 * kSecond, 3);
  std::size_t at = request_text().size();
  run.records.data({}, 3 * kSecond, session_of(3), OISP_DIRECTION_WRITE, 0, request_text());
  for (std::uint32_t i = 0; i <= limits::kMostOtherExchanges; ++i, at += asked.size()) {
    run.records.data({}, (4 + i) * kSecond, session_of(3), OISP_DIRECTION_WRITE, at, asked);
  }
  run.send_records();
  run.run_until([&] { return run.ignored.size() >= 2; });
  run.finish();
  CHECK(run.ignored == std::vector<std::uint64_t>{session_of(1), session_of(2)});
  CHECK(has(run.only("sensor.coverage"), R"("plain_connections":1)"));
}

}  // namespace oisp::test
