// A whole run of the collector, with its launcher, helper and exporter played here: records in, events out.
#include <sys/mman.h>
#include <sys/socket.h>

#include <algorithm>

#include "collector/test-run.h"

using namespace oisp;
using oisp::test::Event;
using oisp::test::has;
using oisp::test::kSecond;
using oisp::test::Run;
using oisp::test::SpanMaker;
using oisp::test::Who;

namespace {

const std::string kKey = "sk-ant-" + std::string("api03-a1B2c3D4e5F6g7H8i9J0k1L2");

std::string request_text(std::string_view target = "/v1/messages") {
  const std::string body =
      R"({"model":"claude-sonnet-4","max_tokens":64,"messages":[{"role":"user","content":"my key is )" + kKey +
      R"("}]})";
  return "POST " + std::string(target) + " HTTP/1.1\r\nHost: api.anthropic.com\r\nx-api-key: " + kKey +
         "\r\nanthropic-version: 2023-06-01\r\nContent-Type: application/json\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string response_text() {
  const std::string body =
      R"({"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-20250514",)"
      R"("content":[{"type":"text","text":"Hello."},{"type":"tool_use","id":"toolu_1","name":"Bash","input":{"command":"ls"}}],)"
      R"("stop_reason":"tool_use","usage":{"input_tokens":12,"output_tokens":7}})";
  return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

constexpr oisp_file_key kLibssl{.device = 8, .inode = 77};

// A program that connects and completes a TLS handshake on a socket.
void open_stream(SpanMaker& records, Who who, std::uint64_t at, std::uint64_t session, std::uint64_t cookie) {
  records.session(who, at, session, OISP_SESSION_NEW);
  records.connection(who, at + 1, cookie, OISP_CONNECTION_BEGIN);
  records.connection(who, at + 2, cookie, OISP_CONNECTION_ESTABLISHED);
  records.session(who, at + 3, session, OISP_SESSION_NAME, 0, "api.anthropic.com");
  records.client_hello(who, at + 4, cookie, "api.anthropic.com");
  records.socket(who, at + 5, session, cookie);
  records.session(who, at + 6, session, OISP_SESSION_HANDSHAKE, 1);
}

}  // namespace

TEST_CASE("a request to a model, from records to events") {
  Run run({{"command", "claude"}, {"command", "--token=" + kKey}, {"pid", "4121"}});
  run.connect_exporter();
  run.connect_helper();
  run.begin();
  run.run_until([&] { return run.credit > 0; });
  CHECK(run.answer()->kind == OrderKind::ready);

  const Who shell{.tgid = 4121, .start_ns = 100 * kSecond, .exec_count = 2};
  const Who child{.tgid = 4130, .start_ns = 101 * kSecond, .exec_count = 1};
  const Who curl{.tgid = 4130, .start_ns = 101 * kSecond, .exec_count = 2};
  SpanMaker& records = run.records;
  records.exec(shell, 100 * kSecond, "/usr/bin/bash", std::string("bash\0run.sh\0", 12));
  records.fork(shell, 101 * kSecond, child);
  records.exec(curl, 101 * kSecond + 5000, "/usr/bin/curl", std::string("curl\0--key=", 11) + kKey + '\0');
  records.mapped(curl, 101 * kSecond + 6000, kLibssl, "libssl.so.3");
  run.send_file(kLibssl, OISP_FILE_PROBED, "openssl 3.0", "libssl.so.3", "", 1);
  run.send_records();
  open_stream(records, curl, 102 * kSecond, 0x7f01, 900);
  const std::string request = request_text();
  const std::string response = response_text();
  records.data(curl, 103 * kSecond, 0x7f01, OISP_DIRECTION_WRITE, 0, request,
               OISP_FLAG_FIRST_OF_CALL | OISP_FLAG_LAST_OF_CALL);
  run.send_records();
  // The answer in two chunks of one call.
  const auto size = static_cast<std::uint32_t>(response.size());
  records.data(curl, 104 * kSecond, 0x7f01, OISP_DIRECTION_READ, 0, response.substr(0, 50), OISP_FLAG_FIRST_OF_CALL,
               size, 0);
  records.data(curl, 104 * kSecond, 0x7f01, OISP_DIRECTION_READ, 0, response.substr(50), OISP_FLAG_LAST_OF_CALL, size,
               50);
  records.session(curl, 105 * kSecond, 0x7f01, OISP_SESSION_FREE);
  records.connection(curl, 105 * kSecond + 1, 900, OISP_CONNECTION_CLOSED);
  records.exit(curl, 106 * kSecond, 3 << 8);
  run.send_records();
  run.finish(3 << 8);

  const std::string ai_request = run.only("ai.request");
  INFO(ai_request);
  CHECK(has(ai_request, R"("ts":"2026-01-03T10:01:43Z")"));
  CHECK(has(ai_request, R"("pid":4130)"));
  CHECK(has(ai_request, R"("ppid":4000)"));
  CHECK(has(ai_request, R"("exe":"/usr/bin/curl")"));
  CHECK(has(ai_request, R"("user":"ana")"));
  CHECK(has(ai_request, R"("capture_point":"ssl_write")"));
  CHECK(has(ai_request, R"("confidence":{"level":"high","completeness":"full")"));
  CHECK(has(ai_request,
            R"("remote":{"ip":"203.0.113.9","port":443,"domain":"api.anthropic.com"},"confidence":"socket")"));
  CHECK(has(ai_request, R"("content":"my key is [secret:anthropic_key:)"));
  CHECK(has(ai_request, R"("id":"claude-sonnet-4")"));
  const std::string ai_response = run.only("ai.response");
  INFO(ai_response);
  CHECK(has(ai_response, R"("status_code":200)"));
  CHECK(has(ai_response, R"("prompt_tokens":12)"));
  CHECK(has(ai_response, R"("latency_ms":1000)"));
  CHECK(has(ai_response, R"("capture_point":"ssl_read")"));
  const std::size_t id = ai_request.find("\"request_id\":");
  CHECK(has(ai_response, ai_request.substr(id, 41)));
  const std::string tool = run.only("agent.tool_call");
  CHECK(has(tool, R"("name":"Bash")"));
  CHECK(has(tool, R"("arguments":{"command":"ls"})"));
  const std::string handshake = run.only("tls.handshake");
  CHECK(has(handshake, R"("sni":"api.anthropic.com","success":true)"));
  CHECK(has(handshake, R"("library":"openssl 3.0 in libssl.so.3")"));
  const std::string connect = run.only("network.connect");
  CHECK(has(connect, R"("success":true)"));
  CHECK(has(connect, R"("latency_ms":0.000)"));
  REQUIRE(run.of("process.exec").size() == 2);
  CHECK(has(run.of("process.exec")[1], R"("args":["curl","--key=[secret:anthropic_key:)"));
  CHECK(has(run.only("process.fork"), R"("child_pid":4130)"));
  const std::string exit = run.only("process.exit");
  CHECK(has(exit, R"("exit_code":3,"runtime_ms":5000,"termination_type":"normal")"));
  const std::string start = run.only("sensor.start");
  CHECK(has(start, R"("command":["claude","--token=[secret:anthropic_key:)"));
  const std::string coverage = run.only("sensor.coverage");
  INFO(coverage);
  CHECK(has(coverage, R"("tls_connections":1,"tls_connections_read":1,"streams":1)"));
  CHECK(has(coverage, R"("http_exchanges":1,"ai_exchanges":1)"));
  CHECK(has(coverage, R"("trust":"trusted")"));
  CHECK(has(coverage, R"("path":"libssl.so.3","outcome":"probed","family":"openssl 3.0","sites":12)"));
  CHECK_FALSE(has(coverage, "blind_spots"));
  const std::string loss = run.only("sensor.loss");
  CHECK(has(loss, R"("lost":0,"lost_bytes":0,"cut":0,"cut_bytes":0,"unexplained":0,"final":true)"));
  CHECK(has(run.only("sensor.stop"), R"("reason":"command_ended")"));
  CHECK(has(run.only("sensor.stop"), R"("command_exit_code":3)"));
  for (const Event& event : run.events) CHECK_FALSE(has(event.json, kKey));
  CHECK(run.events.back().type == "sensor.stop");
  CHECK(run.answer()->kind == OrderKind::done);
}

TEST_CASE("a stream that breaks off gives its answer, marked incomplete, and what was lost is counted") {
  Run run;
  run.connect_exporter();
  run.connect_helper();
  run.begin();
  const Who who;
  open_stream(run.records, who, 102 * kSecond, 1, 900);
  run.records.data(who, 103 * kSecond, 1, OISP_DIRECTION_WRITE, 0, request_text());
  run.records.lose(OISP_FAMILY_TLS);
  run.records.lose(OISP_FAMILY_TLS);
  run.dropped[OISP_FAMILY_TLS] = 3;  // one more than shows as a hole, behind the last record
  const std::string response = response_text();
  run.records.data(who, 104 * kSecond, 1, OISP_DIRECTION_READ, 0, response.substr(0, 200));
  run.records.data(who, 105 * kSecond, 1, OISP_DIRECTION_READ, 250, response.substr(250, 10));
  run.records.exit(who, 106 * kSecond, 9);
  run.send_records();
  run.records.lose(OISP_FAMILY_TLS);
  run.finish();
  const std::string response_event = run.only("ai.response");
  INFO(response_event);
  CHECK(has(response_event, R"("completeness":"partial")"));
  CHECK(has(response_event, R"("incomplete":["stream_ended","lost"])"));
  const std::string loss = run.of("sensor.loss").back();
  INFO(loss);
  CHECK(has(loss, R"("lost":3,"lost_bytes":50,"cut":0,"cut_bytes":0)"));
  CHECK(has(loss, R"({"family":"tls","place":"ring","cause":"ring full","count":3,)"));
  CHECK(has(loss, R"("unexplained":0,"final":true)"));
  CHECK(has(run.only("process.exit"), R"("signal":9,"signal_name":"SIGKILL")"));
}

TEST_CASE("a first call of several chunks is one stream") {
  Run run;
  run.connect_exporter();
  run.connect_helper();
  run.begin();
  const std::string request = request_text();
  const auto size = static_cast<std::uint32_t>(request.size());
  open_stream(run.records, {}, 102 * kSecond, 1, 900);
  for (std::uint32_t at = 0; at < size; at += 100) {
    std::uint32_t flags = OISP_FLAG_STREAM_NEW;
    if (at == 0) flags |= OISP_FLAG_FIRST_OF_CALL;
    if (at + 100 >= size) flags |= OISP_FLAG_LAST_OF_CALL;
    run.records.data({}, 103 * kSecond, 1, OISP_DIRECTION_WRITE, 0, request.substr(at, 100), flags, size, at);
  }
  run.records.data({}, 104 * kSecond, 1, OISP_DIRECTION_READ, 0, response_text());
  run.send_records();
  run.finish();
  CHECK(has(run.only("ai.request"), R"("completeness":"full")"));
  CHECK(has(run.only("ai.response"), R"("completeness":"full")"));
  CHECK(has(run.only("sensor.coverage"), R"("streams":1)"));
}

TEST_CASE("what no sequence number explains is said to be unexplained") {
  Run run;
  run.connect_exporter();
  run.connect_helper();
  run.begin();
  run.records.exec({}, kSecond, "/bin/true", "true");
  run.records.lose(OISP_FAMILY_PROCESS);
  run.send_records();
  run.finish();  // the kernel counted no drop
  CHECK(has(run.only("sensor.loss"), R"("unexplained":1,"final":true)"));
}

TEST_CASE("a session that was made and never used reads no connection") {
  Run run;
  run.connect_exporter();
  run.connect_helper();
  run.begin();
  const Who who{.tgid = 60};
  run.records.exec(who, kSecond, "/opt/mixed", "mixed");
  run.records.session(who, kSecond, 5, OISP_SESSION_NEW);
  run.records.connection(who, 2 * kSecond, 1, OISP_CONNECTION_BEGIN);
  run.records.connection(who, 2 * kSecond, 1, OISP_CONNECTION_ESTABLISHED);
  run.records.client_hello(who, 2 * kSecond, 1, "example.org");
  run.records.session(who, 3 * kSecond, 5, OISP_SESSION_FREE);
  run.records.exit(who, 4 * kSecond, 0);
  run.send_records();
  run.finish();
  CHECK(has(run.of("sensor.coverage").back(), R"("tls_connections":1,"tls_connections_read":0)"));
  CHECK(has(run.of("sensor.coverage").back(), R"("reason":"no_tls_library")"));
}

TEST_CASE("each TLS connection that was not read is a blind spot with its reason") {
  Run run;
  run.connect_exporter();
  run.connect_helper();
  run.begin();
  SpanMaker& records = run.records;
  const Who wget{.tgid = 10};
  records.exec(wget, 1 * kSecond, "/usr/bin/wget", "wget", OISP_KIND_PROCESS_EXEC, {.device = 8, .inode = 10});
  records.mapped(wget, 1 * kSecond, {.device = 8, .inode = 11}, "libgnutls.so.30");
  const Who tool{.tgid = 20};
  records.exec(tool, 1 * kSecond, "/opt/tool", "tool", OISP_KIND_PROCESS_EXEC, {.device = 8, .inode = 20});
  const Who curl{.tgid = 30};
  records.exec(curl, 1 * kSecond, "/usr/bin/curl", "curl", OISP_KIND_PROCESS_EXEC, {.device = 8, .inode = 30});
  const Who odd{.tgid = 40};
  records.exec(odd, 1 * kSecond, "/opt/odd", "odd", OISP_KIND_PROCESS_EXEC, {.device = 8, .inode = 40});
  run.send_file({.device = 8, .inode = 40}, OISP_FILE_REFUSED, "openssl 3.0", "odd");
  run.send_file({.device = 8, .inode = 11}, OISP_FILE_REFUSED, "", "libgnutls.so", "GnuTLS: not supported yet");
  run.send_records();
  for (const Who& who : {wget, tool, odd}) {
    const std::uint64_t cookie = 1000 + who.tgid;
    records.connection(who, 2 * kSecond, cookie, OISP_CONNECTION_BEGIN);
    records.connection(who, 2 * kSecond, cookie, OISP_CONNECTION_ESTABLISHED);
    records.client_hello(who, 2 * kSecond, cookie, "example.org");
    records.exit(who, 3 * kSecond, 0);
  }
  open_stream(records, curl, 2 * kSecond, 5, 1030);
  records.data(curl, 3 * kSecond, 5, OISP_DIRECTION_WRITE, 0, "\x01 neither this nor that");
  records.exit(curl, 4 * kSecond, 0);
  records.connection(curl, 4 * kSecond, 1030, OISP_CONNECTION_CLOSED);
  run.send_records();
  run.finish();
  const std::string coverage = run.of("sensor.coverage").back();
  INFO(coverage);
  CHECK(has(coverage, R"("connections":4,"tls_connections":4,"tls_connections_read":0)"));
  CHECK(has(coverage, R"(/usr/bin/wget uses GnuTLS (libgnutls.so.30))"));
  CHECK(has(coverage, R"(no known TLS library in /opt/tool)"));
  CHECK(has(coverage, R"(odd could not be probed: the scanner is not certain of it)"));
  CHECK(has(coverage, R"("reason":"not_http")"));
  CHECK(has(coverage, R"("remote":{"ip":"203.0.113.9","port":443,"domain":"example.org"})"));
}

TEST_CASE("what a connection moved is told, and how much of it was read") {
  Run run;
  run.connect_exporter();
  run.connect_helper();
  run.begin();
  const Who curl{.tgid = 30};
  SpanMaker& records = run.records;
  records.exec(curl, 1 * kSecond, "/usr/bin/curl", "curl");
  open_stream(records, curl, 2 * kSecond, 5, 900);
  const std::string request = request_text();
  const std::string response = response_text();
  records.data(curl, 3 * kSecond, 5, OISP_DIRECTION_WRITE, 0, request);
  records.data(curl, 3 * kSecond, 5, OISP_DIRECTION_READ, 0, response);
  // Closed by the end of its process.
  records.exit(curl, 4 * kSecond, 0);
  records.connection(curl, 4 * kSecond, 900, OISP_CONNECTION_CLOSED, 443, 0, 1700, 4200);
  run.send_records();
  run.finish();
  const std::string flow = run.only("network.flow");
  INFO(flow);
  CHECK(has(flow, R"("bytes_sent":1700,"bytes_received":4200,"duration_ms":1999,"tls":{"sni":"api.anthropic.com")"));
  CHECK(has(flow, R"("plaintext_sent":)" + std::to_string(request.size())));
  CHECK(has(flow, R"("plaintext_received":)" + std::to_string(response.size())));
  const std::string coverage = run.only("sensor.coverage");
  INFO(coverage);
  CHECK(has(coverage, R"("measured_connections":1,"measured_plaintext_bytes":)" +
                          std::to_string(request.size() + response.size()) + R"(,"measured_wire_bytes":5900)"));
}

TEST_CASE("a file that passes no plaintext is given up, named, and read no more") {
  const bool of_the_start = GENERATE(false, true);  // given by the launcher: its probes stay
  const bool lies = GENERATE(false, true);          // it says that it shook hands, and only lengths show it
  Run run;
  run.connect_exporter();
  run.connect_helper();
  run.begin();
  run.send_file(kLibssl, OISP_FILE_PROBED, "openssl 3.0", of_the_start ? "libssl.so.3" : "", "", 1);
  const Who tool{.tgid = 30};
  SpanMaker& records = run.records;
  records.exec(tool, 1 * kSecond, "/opt/tool", "tool");
  records.mapped(tool, 1 * kSecond, kLibssl, "libssl.so.3");
  const std::string wire = "\x17\x03\x03\x01\x2c" + std::string(300, 'x');
  for (std::uint64_t i = 0; i < 3; ++i) {
    const std::uint64_t at = (2 + i) * kSecond;
    if (lies) {
      open_stream(records, tool, at, 5 + i, 900 + i);
    } else {
      records.session(tool, at, 5 + i, OISP_SESSION_NEW);
    }
    records.data(tool, at + 10, 5 + i, OISP_DIRECTION_WRITE, 0, wire);
    records.session(tool, at + 20, 5 + i, OISP_SESSION_FREE);
    if (lies) records.connection(tool, at + 30, 900 + i, OISP_CONNECTION_CLOSED, 443, 0, wire.size(), 0);
  }
  run.send_records();
  run.run_until([&] { return of_the_start || !run.released.empty(); });
  // Should what comes then look like a request, it is none.
  records.data(tool, 9 * kSecond, 8, OISP_DIRECTION_WRITE, 0, request_text());
  run.send_records();
  run.run_until([&] { return !run.ignored.empty() && run.ignored.back() == 8; });
  CHECK(run.released.size() == (of_the_start ? 0 : 1));
  CHECK(run.ignored.back() == 8);
  run.finish();
  CHECK(run.of("ai.request").empty());
  const std::string coverage = run.of("sensor.coverage").back();
  INFO(coverage);
  CHECK(has(coverage, R"("trust":"distrusted")"));
  CHECK(has(coverage, lies ? "as much plaintext as" : "TLS records instead of plaintext"));
  CHECK(has(coverage, R"("reason":"distrusted","detail":"libssl.so.3 was taken for openssl 3.0)"));
  CHECK(has(coverage, of_the_start ? "its streams are ignored" : "its probes are taken off"));
}

TEST_CASE("where the kernel shows no first bytes, a port or a stream says what carries TLS") {
  Run run;
  run.connect_exporter();
  run.connect_helper(false, {"sock_send_length"});
  run.begin();
  const Who tool{.tgid = 50};
  SpanMaker& records = run.records;
  records.exec(tool, kSecond, "/opt/tool", "tool");
  constexpr std::uint16_t kPorts[] = {443, 5432, 5433, 8443};
  for (const std::uint16_t port : kPorts) {
    records.connection(tool, 2 * kSecond, port, OISP_CONNECTION_BEGIN, port);
    records.connection(tool, 2 * kSecond, port, OISP_CONNECTION_ESTABLISHED, port);
  }
  records.session(tool, 3 * kSecond, 5, OISP_SESSION_NEW);
  records.socket(tool, 3 * kSecond, 5, 8443);
  records.data(tool, 3 * kSecond, 5, OISP_DIRECTION_WRITE, 0, request_text());
  // Another one that never shows its socket, and has no connection but one.
  const Who node{.tgid = 51};
  records.exec(node, kSecond, "/usr/bin/node", "node");
  records.connection(node, 2 * kSecond, 1, OISP_CONNECTION_BEGIN, 8443);
  records.connection(node, 2 * kSecond, 1, OISP_CONNECTION_ESTABLISHED, 8443);
  records.data(node, 3 * kSecond, 6, OISP_DIRECTION_WRITE, 0, request_text());
  run.send_records();
  run.finish();
  const std::string coverage = run.only("sensor.coverage");
  INFO(coverage);
  CHECK(has(coverage, R"("connections":5,"tls_connections":3,"tls_connections_read":2)"));
  CHECK(has(coverage, R"("port":5432},"reason":"plain_http")"));
  CHECK(has(run.only("sensor.start"), R"("missing_hooks":["sock_send_length"])"));
}

TEST_CASE("a program that gives its library no socket is matched by name, else as the only candidate") {
  Run run;
  run.connect_exporter();
  run.connect_helper();
  run.begin();
  const Who node{.tgid = 50};
  SpanMaker& records = run.records;
  records.exec(node, kSecond, "/usr/bin/node", "node");
  for (const std::uint64_t cookie : {1U, 2U}) {
    records.connection(node, 2 * kSecond + cookie, cookie, OISP_CONNECTION_BEGIN);
    records.connection(node, 2 * kSecond + cookie, cookie, OISP_CONNECTION_ESTABLISHED,
                       static_cast<std::uint16_t>(442 + cookie));
    records.client_hello(node, 2 * kSecond + cookie, cookie, cookie == 1 ? "other.example" : "api.anthropic.com");
  }
  records.session(node, 3 * kSecond, 5, OISP_SESSION_NEW);
  records.session(node, 3 * kSecond, 5, OISP_SESSION_NAME, 0, "API.anthropic.com");
  records.data(node, 3 * kSecond, 5, OISP_DIRECTION_WRITE, 0, request_text());
  records.session(node, 4 * kSecond, 6, OISP_SESSION_NEW);
  records.data(node, 4 * kSecond, 6, OISP_DIRECTION_WRITE, 0, "GET / HTTP/1.1\r\nHost: other.example\r\n\r\n");
  run.send_records();
  run.finish();
  const std::string request = run.only("ai.request");
  INFO(request);
  CHECK(has(request, R"("domain":"api.anthropic.com"},"confidence":"sni")"));
  const std::string response = run.only("ai.response");
  CHECK(has(response, R"("incomplete":["stream_ended"])"));
  const std::string coverage = run.only("sensor.coverage");
  INFO(coverage);
  CHECK(has(coverage, R"("tls_connections":2,"tls_connections_read":2)"));
  CHECK(has(coverage, R"("http_exchanges":2,"ai_exchanges":1)"));
}

TEST_CASE("a helper that died is followed by one that sends some records again") {
  Run run;
  run.connect_exporter();
  run.connect_helper();
  run.begin();
  run.records.exec({.tgid = 1}, kSecond, "/bin/a", "a");
  run.send_records();
  const std::uint64_t had = run.position;
  run.records.exec({.tgid = 2}, kSecond, "/bin/b", "b");
  const std::size_t second = run.records.span().size();
  run.send_records();
  run.run_until([&] { return run.of("process.exec").size() == 2; });
  run.helper.reset();
  run.connect_helper(true);
  // The last span again, with one record more.
  --run.records.sequence[OISP_FAMILY_PROCESS];
  run.records.exec({.tgid = 2}, kSecond, "/bin/b", "b");
  run.records.exec({.tgid = 3}, kSecond, "/bin/c", "c");
  run.position = had;
  run.send_records();
  CHECK(second > 0);
  run.finish();
  CHECK(run.of("process.exec").size() == 3);
  CHECK(run.of("sensor.start").size() == 1);
  CHECK(has(run.only("sensor.loss"), R"("lost":0)"));
}

TEST_CASE("a collector that was started again says so, and takes streams that go on as joined late") {
  Run run({std::pair<std::string, std::string>("restarted", "1")});
  run.connect_exporter(41);
  run.connect_helper(true);
  run.begin();
  run.position = 1 << 20;
  for (auto& sequence : run.records.sequence) sequence = 500;
  run.records.data({}, 103 * kSecond, 9, OISP_DIRECTION_READ, 70000, "rest of an answer");
  run.records.data({}, 104 * kSecond, 9, OISP_DIRECTION_WRITE, 500, request_text());
  run.send_records();
  run.finish();
  CHECK(run.events.front().sequence == 42);
  CHECK(run.of("sensor.start").empty());
  CHECK(has(run.of("sensor.loss").front(), R"("cause":"collector_restarted")"));
  CHECK(has(run.of("sensor.loss").back(), R"("unexplained":0)"));
  CHECK(run.of("ai.request").size() == 1);
  CHECK(run.of("ai.response").size() == 1);
}

TEST_CASE("a request that was open when a collector died is answered by the next one") {
  const OwnedFd memory(::memfd_create("memory", MFD_CLOEXEC));
  std::string request;
  std::string answered;
  std::uint64_t kept = 0;
  {
    Run run;
    run.give_memory(memory);
    run.connect_exporter();
    run.connect_helper();
    run.begin();
    run.records.exec({}, kSecond, "/usr/bin/claude", "claude");
    for (const std::uint64_t session : {1UL, 2UL}) {
      open_stream(run.records, {}, 102 * kSecond, session, 900 + session);
      run.records.data({}, 103 * kSecond, session, OISP_DIRECTION_WRITE, 0, request_text());
    }
    run.records.data({}, 104 * kSecond, 1, OISP_DIRECTION_READ, 0, response_text());
    run.send_records();
    run.run_until([&] { return run.of("agent.tool_call").size() == 1 && run.of("ai.request").size() == 2; });
    answered = run.only("ai.response");
    kept = run.events.back().sequence;
    for (const std::string& one : run.of("ai.request")) {
      const std::string id = one.substr(one.find("\"request_id\":"), 41);
      if (!has(answered, id)) request = id;
    }
  }
  Run run({std::pair<std::string, std::string>("restarted", "1")});
  run.give_memory(memory);
  run.connect_exporter(kept);
  run.connect_helper(true);
  run.begin();
  run.finish();
  const std::string response = run.only("ai.response");
  INFO(response);
  CHECK(has(response, request));
  CHECK(has(response, R"("incomplete":["collector_restarted"])"));
  CHECK(has(response, R"("exe":"/usr/bin/claude")"));
  CHECK(has(response, R"("provider":{"name":"anthropic")"));
  CHECK(has(response, R"("relationship":"caused_by")"));

  Run third({std::pair<std::string, std::string>("restarted", "2")});
  third.give_memory(memory);
  third.connect_exporter(run.events.back().sequence);
  third.connect_helper(true);
  third.begin();
  third.finish();
  CHECK(third.of("ai.response").empty());
}

TEST_CASE("memory that makes no sense harms nothing") {
  const OwnedFd memory(::memfd_create("memory", MFD_CLOEXEC));
  const std::string garbage(1 << 20, '\xff');
  REQUIRE(::write(memory.get(), garbage.data(), garbage.size()) == static_cast<ssize_t>(garbage.size()));
  Run run({std::pair<std::string, std::string>("restarted", "1")});
  run.give_memory(memory);
  run.connect_exporter(7);
  run.connect_helper(true);
  run.begin();
  run.finish();
  CHECK(run.of("ai.response").empty());
  CHECK(has(run.of("sensor.loss").front(), R"("cause":"made, and not delivered")"));
}

TEST_CASE("garbage in a record or on the channel harms nothing else") {
  Run run;
  run.connect_exporter();
  run.connect_helper();
  run.begin();
  oisp_process_exit broken{};
  run.records.add(OISP_FAMILY_PROCESS, 99, {}, kSecond, broken);
  run.records.exec({.tgid = 1}, kSecond, "/bin/a", "a");
  run.send_records();
  run.run_until([&] { return run.of("process.exec").size() == 1; });
  capnp::MallocMessageBuilder message;
  message.initRoot<schema::FromHelper>();  // unset
  run.helper->send(message);
  run.run_until([&] { return run.helper->ended; });
  CHECK(run.helper->ended);
  run.connect_helper(true);
  run.records.exec({.tgid = 2}, kSecond, "/bin/b", "b");
  run.send_records();
  run.finish();
  CHECK(run.of("process.exec").size() == 2);
  CHECK(has(run.of("sensor.loss").back(), R"("cause":"unknown kind","count":1)"));
  CHECK(has(run.of("sensor.loss").back(), R"("unexplained":0)"));
}

TEST_CASE("what a process does after the end is no part of the run") {
  Run run;
  run.connect_exporter();
  run.connect_helper();
  run.begin();
  run.records.exec({.tgid = 61}, kSecond, "/usr/bin/before", "before");
  run.send_records();
  run.send_end();
  run.records.exec({.tgid = 62}, 2 * kSecond, "/usr/bin/after", "after");
  run.send_records();
  run.run_until([&run] { return run.session.done(); });
  run.run_until([&run] { return run.finished; });
  CHECK(has(run.only("process.exec"), "/usr/bin/before"));
  CHECK(run.events.back().type == "sensor.stop");
  CHECK(has(run.only("sensor.loss"), R"("unexplained":0)"));
}

TEST_CASE("when the launcher goes, the collector goes") {
  Run run;
  run.connect_exporter();
  run.begin();
  run.run_until([&] { return run.answer().has_value(); });
  run.leave();
  run.loop->run();  // ends by itself
  CHECK_FALSE(run.session.done());
}
