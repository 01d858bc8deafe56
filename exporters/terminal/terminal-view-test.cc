// What the view shows of typical and of hostile recordings.
#include "exporters/terminal/terminal-view.h"

#include <capnp/message.h>

#include <algorithm>
#include <functional>
#include <sstream>

#include "exporters/terminal/json-brief.h"
#include "exporters/terminal/quantities.h"
#include "exporters/terminal/text-columns.h"
#include "tests/catch.h"

using namespace oisp;

namespace {

constexpr std::uint64_t kMorning = 1'767'448'927'118'000'000;  // 2026-01-03T14:02:07.118Z

// A view in UTC and what it has written; events are made by short functions.
class Screen {
 public:
  explicit Screen(ViewOptions options = {.columns = 100})
      : view_(in_utc(std::move(options)), [this](std::string_view text) { text_ += text; }) {}

  using Fill = std::function<void(schema::Event::Builder)>;
  void event(std::uint32_t pid, const char* name, const Fill& fill, std::uint64_t after_ms = 1) {
    now_ += after_ms * 1'000'000;
    capnp::MallocMessageBuilder message;
    auto event = message.initRoot<schema::Event>();
    event.setTs(now_);
    event.initProcess().setPid(pid);
    event.getProcess().setName(name);
    event.initExt().initOispSensor();
    fill(event);
    view_.on_event(event);
  }
  void sensor(const std::function<void(schema::Event::Data::Builder)>& fill) {
    capnp::MallocMessageBuilder message;
    auto event = message.initRoot<schema::Event>();
    event.setTs(now_);
    fill(event.getData());
    view_.on_event(event);
  }
  void start(std::uint32_t pid = 4121) {
    sensor([&](auto data) {
      auto start = data.initSensorStart();
      start.setScope("claude[4121] as ana, and its descendants");
      start.setContent("secrets masked");
      start.initCommand(1).set(0, "claude");
      start.setPid(pid);
    });
    event(
        pid, "claude", [](auto e) { e.getData().initProcessExec().setExe("/usr/bin/claude"); }, 0);
  }
  void stop() {
    sensor([](auto data) {
      auto stop = data.initSensorStop();
      stop.setReason("command_ended");
      stop.setDurationMs(41'203);
      stop.setCommandExitCode(0);
    });
  }
  void fork(std::uint32_t pid, std::uint32_t child) {
    event(
        pid, "", [&](auto e) { e.getData().initProcessFork().setChildPid(child); }, 0);
  }
  void exec(std::uint32_t pid, const char* name, const std::vector<const char*>& words) {
    event(pid, name, [&](auto e) {
      auto list = e.getData().initProcessExec().initArgs(static_cast<unsigned>(words.size()));
      for (unsigned i = 0; i < words.size(); ++i) list.set(i, words[i]);
    });
  }
  void exit(std::uint32_t pid, const char* name, int code, std::int64_t runtime_ms) {
    event(pid, name, [&](auto e) {
      auto exit = e.getData().initProcessExit();
      exit.setExitCode(code);
      exit.setRuntimeMs(runtime_ms);
    });
  }
  void request(
      const char* id, const Fill& more = [](auto) {}, std::uint32_t pid = 4121, const char* name = "claude") {
    event(pid, name, [&](schema::Event::Builder e) {
      auto data = e.getData().initAiRequest();
      data.setRequestId(id);
      data.initProvider().setName("anthropic");
      data.initModel().setId("claude-sonnet-4");
      data.setRequestType("chat");
      auto message = data.initMessages(1)[0];
      message.setRole("user");
      message.setContent("fix the failing test");
      data.setMessagesCount(3);
      data.setToolsCount(14);
      e.getExt().getOispSensor().initHttp().setBodyBytes(41'237);
      more(e);
    });
  }
  void response(
      const char* id, const Fill& more = [](auto) {}) {
    event(
        4121, "claude",
        [&](schema::Event::Builder e) {
          auto data = e.getData().initAiResponse();
          data.setRequestId(id);
          data.setStatusCode(200);
          data.setLatencyMs(2753);
          more(e);
        },
        2753);
  }

  std::string text() {
    std::string taken;
    taken.swap(text_);
    return taken;
  }
  void flush() { view_.flush(); }
  std::string finished() {
    view_.finish();
    return text();
  }

 private:
  static ViewOptions in_utc(ViewOptions options) {
    options.utc_offset_seconds = 0;
    return options;
  }

  std::string text_;
  std::uint64_t now_ = kMorning;
  TerminalView view_;
};

void whole_answer(schema::Event::Builder event) {
  auto data = event.getData().getAiResponse();
  data.setTimeToFirstTokenMs(612);
  auto usage = data.initUsage();
  usage.setPromptTokens("9812");
  usage.setCachedTokens("9102");
  usage.setCompletionTokens("214");
  data.setFinishReasonRaw("tool_use");
  data.initToolCalls(1)[0].setName("Bash");
}

void typical_run(Screen& screen) {
  screen.start();
  screen.request("R1");
  screen.response("R1", whole_answer);
  screen.event(4121, "claude", [](auto e) {
    auto call = e.getData().initToolCall();
    call.setRequestId("R1");
    call.initTool().setName("Bash");
    call.setArguments("{\n  \"command\": \"npm test\"\n}");
  });
  screen.fork(4121, 4190);
  screen.exec(4190, "sh", {"sh", "-c", "npm test"});
  screen.fork(4190, 4191);
  screen.exec(4191, "npm", {"npm", "test"});
  screen.exit(4191, "npm", 1, 3100);
  screen.exit(4190, "sh", 1, 3204);
  screen.event(4121, "claude", [](auto e) {
    auto result = e.getData().initToolResult();
    result.setRequestId("R2");
    result.initTool().setName("Bash");
    result.setSuccess(schema::Tri::NO);
    result.setResult("1 failing:\n\tadds two numbers");
    result.setResultSizeBytes(29);
  });
  screen.request("R2");
  screen.response("R2", [](auto e) {
    auto data = e.getData().getAiResponse();
    data.setFinishReasonRaw("end_turn");
    data.initChoices(1)[0].initMessage().setContent("The test expects 3, but add() returns 4.\nShall I fix it?");
  });
  screen.sensor([](auto data) {
    auto coverage = data.initSensorCoverage();
    coverage.setProcesses(6);
    coverage.setConnections(9);
    coverage.setTlsConnections(8);
    coverage.setTlsConnectionsRead(7);
    coverage.setPlaintextBytes(214'880);
    coverage.setMeasuredPlaintextBytes(214'880);
    coverage.setMeasuredWireBytes(256'012);
    auto spot = coverage.initBlindSpots(1)[0];
    spot.initProcess().setPid(4188);
    spot.getProcess().setName("node");
    spot.initRemote().setIp("203.0.113.9");
    spot.getRemote().setPort(443);
    spot.setReason("no_tls_library");
    spot.setDetail("no known TLS library in /usr/bin/tool: only OpenSSL 1.1 and 3.x are read so far");
    spot.setCount(1);
    coverage.setFinal(schema::Tri::YES);
  });
  screen.sensor([](auto data) { data.initSensorLoss().setFinal(schema::Tri::YES); });
  screen.stop();
}

}  // namespace

TEST_CASE("a typical run reads like this while it runs") {
  Screen screen({.columns = 120});
  typical_run(screen);
  CHECK(screen.text() ==
        R"(watching claude[4121] as ana, and its descendants · secrets masked
14:02:07.119 claude[4121]    → #1  anthropic  claude-sonnet-4  3 msgs 14 tools 41.2 kB  "fix the failing test"
14:02:09.872 claude[4121]    ← #1  200  ttft 0.61s  2.75s  in 9,812 (cached 9,102)  out 214  tool_use
                             ⚙ Bash {"command":"npm test"}
14:02:09.874   sh[4190]      exec  sh -c 'npm test'
14:02:09.875     npm[4191]   exec  npm test                                          exit 1 in 3.10s
14:02:09.877   sh[4190]      exit 1 in 3.20s
14:02:09.878 claude[4121]    ✗ Bash  failed  29 B  "1 failing: adds two numbers"
14:02:09.879 claude[4121]    → #2  anthropic  claude-sonnet-4  3 msgs 14 tools 41.2 kB  "fix the failing test"
14:02:12.632 claude[4121]    ← #2  200  2.75s  end_turn  "The test expects 3, but add() returns 4. Shall I fix it?"
── 41.2s · 6 processes · exit 0 ────────────────────────────────────────────────
anthropic  claude-sonnet-4  2 requests  2 answered  in 9,812 (cached 9,102)  out 214
tools      1 call  Bash 1
coverage   7 of 8 TLS connections read (214,880 of 256,012 B)   lost 0   cut 0
NOT SEEN   node[4188] → 203.0.113.9:443  no known TLS library in /usr/bin/tool: only OpenSSL 1.1 and 3.x are read so far
)");
  CHECK(screen.finished() == "");
}

TEST_CASE("held for the end, on a terminal of 80 columns, a program's end stands beside its start") {
  Screen screen({.columns = 80, .holding = Holding::until_finish});
  screen.start();
  CHECK(screen.text() == "");
  Screen again({.columns = 80, .holding = Holding::until_finish});
  typical_run(again);
  CHECK(again.finished() ==
        R"(watching claude[4121] as ana, and its descendants · secrets masked
14:02:07 claude[4121]    → #1  claude-sonnet-4  3 msgs  "fix the failing test"
14:02:09 claude[4121]    ← #1  200  2.75s  in 9,812  out 214  tool_use
                         ⚙ Bash {"command":"npm test"}
14:02:09   sh[4190]      exec  sh -c 'npm test'                  exit 1 in 3.20s
14:02:09     npm[4191]   exec  npm test                          exit 1 in 3.10s
14:02:09 claude[4121]    ✗ Bash  failed  29 B  "1 failing: adds two numbers"
14:02:09 claude[4121]    → #2  claude-sonnet-4  3 msgs  "fix the failing test"
14:02:12 claude[4121]    ← #2  200  2.75s  end_turn  "The test expects 3, but …"
── 41.2s · 6 processes · exit 0 ────────────────────────────────────────────────
anthropic  claude-sonnet-4  2 requests  2 answered
           in 9,812 (cached 9,102)  out 214
tools      1 call  Bash 1
coverage   7 of 8 TLS connections read (214,880 of 256,012 B)   lost 0   cut 0
NOT SEEN   node[4188] → 203.0.113.9:443
           no known TLS library in /usr/bin/tool: only OpenSSL 1.1 and 3.x are
           read so far
)");
}

TEST_CASE("requests in flight at once are told apart by their number") {
  Screen screen({.columns = 120});
  screen.start();
  screen.request("A");
  screen.request("B");
  screen.response("B");
  screen.response("A");
  (void)screen.text();
  screen.event(4121, "claude", [](auto e) {  // belongs to B, whose line is no longer the last
    auto call = e.getData().initToolCall();
    call.setRequestId("B");
    call.initTool().setName("Read");
    call.setArguments(R"("{\"path\": \"/etc/hosts\"}")");
  });
  CHECK(screen.text() == "14:02:12.627 claude[4121]    ⚙ Read {\"path\":\"/etc/hosts\"}\n");
}

TEST_CASE("an embedding is asked for and answered like all else") {
  Screen screen({.columns = 120});
  screen.start();
  screen.event(4121, "claude", [](auto e) {
    auto data = e.getData().initAiRequest();
    data.setRequestId("r1");
    data.initProvider().setName("openai");
    data.initModel().setId("text-embedding-3-small");
    data.setRequestType("embedding");
    data.initInput(2).set(0, "The food was good");
    data.setInputCount(2);
  });
  screen.event(4121, "claude", [](auto e) {
    auto data = e.getData().initAiEmbedding();
    data.setRequestId("r1");
    data.setStatusCode(200);
    data.setSuccess(schema::Tri::YES);
    data.setEmbeddingCount(2);
    data.setDimensions(1536);
    data.initUsage().setPromptTokens("14");
    data.setLatencyMs(90);
  });
  screen.stop();
  const std::string text = screen.text();
  INFO(text);
  CHECK(text.find("→ #1  openai  text-embedding-3-small  embedding  2 inputs  \"The food was good\"") !=
        std::string::npos);
  CHECK(text.find("← #1  200  0.09s  in 14  2 × 1,536 numbers") != std::string::npos);
}

TEST_CASE("errors speak in the provider's words, broken answers say what is missing") {
  Screen screen({.columns = 120});
  screen.start();
  screen.request("A");
  screen.request("B");
  screen.request("C");
  (void)screen.text();
  screen.response("A", [](auto e) {
    auto data = e.getData().getAiResponse();
    data.setStatusCode(429);
    data.initError().setType("rate_limit_error");
    data.getError().setMessage("Number of requests has exceeded your limit");
  });
  screen.response("B", [](auto e) {
    e.getExt().getOispSensor().initIncomplete(1).set(0, "stream_ended");
    e.getData().getAiResponse().initUsage().setPromptTokens("12");
  });
  screen.response("C", [](auto e) {
    e.getData().getAiResponse().setStatusCode(-1);
    e.getData().getAiResponse().setSuccess(schema::Tri::NO);
  });
  CHECK(screen.text() ==
        "14:02:09.874 claude[4121]    ← #1  429  2.75s  rate_limit_error: Number of requests has exceeded your limit\n"
        "14:02:12.627 claude[4121]    ← #2  200  2.75s  in 12  incomplete: broke off\n"
        "14:02:15.380 claude[4121]    ← #3  no answer  2.75s\n");
  screen.request("D");
  (void)screen.text();
  CHECK(screen.finished() ==
        R"(── the recording has no end ────────────────────────────────────────────────────
anthropic  claude-sonnet-4  4 requests  0 answered  2 errors  1 incomplete  1 unanswered  in 12  out 0
coverage   not told: the recording did not come to its end
)");
}

TEST_CASE("a run that captured nothing says what it did see") {
  Screen screen({.columns = 100});
  screen.start();
  screen.sensor([](auto data) {
    auto coverage = data.initSensorCoverage();
    coverage.setProcesses(1);
    coverage.setConnections(2);
    coverage.setTlsConnections(1);
    coverage.setTlsConnectionsRead(1);
    coverage.setStreams(1);
    coverage.setPlaintextBytes(1'024);
    auto files = coverage.initFiles(6);
    for (unsigned i = 2; i < 6; ++i) {
      const std::string path = "LC_" + std::to_string(i);
      files[i].setPath(path);
      files[i].setOutcome("failed");
      files[i].setReason("it could not be opened");
    }
    files[0].setPath("/usr/lib/x86_64-linux-gnu/libssl.so.3");
    files[0].setOutcome("probed");
    files[0].setFamily("openssl 3.0");
    files[1].setPath("/opt/tool/libssl.so.1.0.0");
    files[1].setOutcome("refused");
    files[1].setReason("OpenSSL 1.0 is not read");
    auto spot = coverage.initBlindSpots(1)[0];
    spot.setReason("not_http");
    spot.initProcess().setPid(4121);
    spot.getProcess().setName("claude");
    spot.initRemote().setDomain("api.example.com");
    spot.getRemote().setPort(443);
    spot.setDetail("what was read is not HTTP");
    spot.setCount(3);
    coverage.setFinal(schema::Tri::YES);
  });
  screen.sensor([](auto data) { data.initSensorLoss().setFinal(schema::Tri::YES); });
  (void)screen.text();
  screen.stop();
  CHECK(screen.text() ==
        R"(── 41.2s · 1 process · exit 0 ──────────────────────────────────────────────────
no requests to a model were seen
seen       1 process  2 TCP connections  1 stream read  0 HTTP exchanges
probed     /usr/lib/x86_64-linux-gnu/libssl.so.3  openssl 3.0
failed     LC_2, LC_3, LC_4 and 1 more  it could not be opened
refused    /opt/tool/libssl.so.1.0.0  OpenSSL 1.0 is not read
coverage   1 of 1 TLS connection read (1,024 B)   lost 0   cut 0
NOT SEEN   claude[4121] → api.example.com:443  × 3  what was read is not HTTP
)");
}

TEST_CASE("a blind spot and a loss show as they happen, once") {
  Screen screen({.columns = 100});
  screen.start();
  (void)screen.text();
  const auto tell = [&](unsigned processes) {
    screen.sensor([&](auto data) {
      auto spots = data.initSensorCoverage().initBlindSpots(processes);
      for (unsigned i = 0; i < processes; ++i) {
        spots[i].initProcess().setPid(7 + i);
        spots[i].getProcess().setName("tool");
        spots[i].setReason("no_tls_library");
        spots[i].setCount(2);
      }
    });
  };
  tell(1);
  CHECK(screen.text() == "NOT SEEN   tool[7]  × 2  no known TLS library in the program\n");
  tell(1);
  tell(3);
  CHECK(screen.text() == "");
  screen.sensor([](auto data) {
    auto loss = data.initSensorLoss();
    loss.setLost(12);
    loss.setLostBytes(49'152);
    loss.initCauses(1)[0].setPlace("ring");
    loss.getCauses()[0].setCause("full");
  });
  CHECK(screen.text() == "LOST       12 records (49,152 B)  ring: full\n");
  const std::string summary = screen.finished();
  CHECK(summary.find("           what comes faster than it is read needs more room: --buffer-size\n") !=
        std::string::npos);
  CHECK(summary.find("NOT SEEN   tool[7] and 2 more  × 6  no known TLS library in the program\n") != std::string::npos);
}

TEST_CASE("hostile bytes reach the terminal as visible escapes, whatever field they are in") {
  const std::string evil =
      "\x1b]0;owned\x07\x1b[2J\r\n\xc2\x9b"
      "31m\xff\xe2\x80\xae"
      "txt";
  for (const std::size_t columns : {40U, 80U, 120U, 400U}) {
    Screen screen({.columns = columns});
    screen.start();
    screen.request("A", [&](auto e) {
      auto data = e.getData().getAiRequest();
      data.getModel().setId(evil);
      data.getProvider().setName(evil);
      data.setRequestType(evil);
      data.getMessages()[0].setContent(evil);
      e.getExt().getOispSensor().initIncomplete(1).set(0, evil);
      e.getProcess().setName(evil);
    });
    screen.response("A", [&](auto e) {
      auto data = e.getData().getAiResponse();
      data.setFinishReasonRaw(evil);
      data.initError().setType(evil);
      data.getError().setMessage(evil);
      data.initUsage().setPromptTokens(evil);
    });
    screen.event(4121, "claude", [&](auto e) {
      auto call = e.getData().initToolCall();
      call.initTool().setName(evil);
      call.setArguments(evil);
    });
    screen.event(4121, "claude", [&](auto e) {
      auto call = e.getData().initToolCall();
      call.setArguments(R"("\u001b[31m\u009b\u202e")");
    });
    screen.event(4121, "claude", [&](auto e) { e.getData().initToolResult().setResult(evil); });
    screen.exec(4122, evil.c_str(), {evil.c_str(), "it's", evil.c_str()});
    screen.event(4122, evil.c_str(), [&](auto e) {
      e.getData().initProcessExit().setSignal(9);
      e.getData().getProcessExit().setSignalName(evil);
    });
    screen.event(4121, evil.c_str(), [&](auto e) {
      auto connect = e.getData().initNetworkConnect();
      connect.setSuccess(schema::Tri::NO);
      connect.initDest().setDomain(evil);
      connect.setError(evil);
    });
    screen.sensor([&](auto data) {
      auto coverage = data.initSensorCoverage();
      auto spot = coverage.initBlindSpots(1)[0];
      spot.setReason(evil);
      spot.initProcess().setName(evil);
      spot.initRemote().setIp(evil);
      auto file = coverage.initFiles(1)[0];
      file.setPath(evil);
      file.setReason(evil);
      file.setFamily(evil);
      file.setOutcome(evil);
    });
    screen.sensor([&](auto data) { data.initSensorStop().setReason(evil); });
    std::istringstream lines(screen.finished());
    std::size_t count = 0;
    for (std::string line; std::getline(lines, line); ++count) {
      CAPTURE(columns, line);
      CHECK(columns_of(line) <= columns);
      CHECK(line == harmless(line, line.size()));
    }
    CHECK(count > 10);
  }
}

TEST_CASE("a program that only leads to the next leaves no line, if it leads there at once") {
  Screen screen({.columns = 80});
  screen.start();
  screen.fork(4121, 4190);
  (void)screen.text();
  screen.exec(4190, "env", {"/usr/bin/env", "node", "cli.js"});
  screen.exec(4190, "node", {"node", "cli.js"});
  CHECK(screen.text() == "");
  screen.flush();
  CHECK(screen.text() == "14:02:07   node[4190]    exec  node cli.js\n");
  screen.exec(4190, "sh", {"sh"});
  screen.exec(4191, "true", {"true"});
  CHECK(screen.text() == "14:02:07   sh[4190]      exec  sh\n");
}

TEST_CASE("lines held beyond the bound are counted") {
  Screen screen({.columns = 100, .holding = Holding::until_finish});
  screen.start();
  for (std::uint32_t i = 0; i < 20'010; ++i) screen.exec(10'000 + i, "true", {"true"});
  screen.exit(10'000, "true", 0, 1);
  const std::string all = screen.finished();
  CHECK(all.substr(0, all.find('\n')) == "… 11 earlier lines not kept: record with -o FILE to have all");
  CHECK(std::count(all.begin(), all.end(), '\n') > 20'000);
}

TEST_CASE("a file with two recordings shows two") {
  Screen screen({.columns = 120, .holding = Holding::briefly});
  typical_run(screen);
  const std::string first = screen.text();
  typical_run(screen);
  const std::string second = screen.text();
  CHECK(first.substr(0, 60) == second.substr(0, 60));
  CHECK(second.find("#1") != std::string::npos);
  CHECK(second.find("2 requests  2 answered") != std::string::npos);
}

TEST_CASE("with colour, the same text stands between the escapes of sixteen colours") {
  Screen plain({.columns = 100});
  Screen coloured({.colour = true, .columns = 100});
  typical_run(plain);
  typical_run(coloured);
  std::string stripped;
  const std::string text = coloured.text();
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\x1b') {
      stripped += text[i];
      continue;
    }
    REQUIRE(text[i + 1] == '[');
    i = text.find('m', i);
    REQUIRE(i != std::string::npos);
  }
  CHECK(stripped == plain.text());
}

TEST_CASE("columns are those of a terminal") {
  CHECK(columns_of("abc") == 3);
  CHECK(columns_of("漢字") == 4);
  CHECK(columns_of("e\xcc\x81") == 1);
  CHECK(columns_of("🙂") == 2);
  CHECK(columns_of("→ ⚙ ·") == 5);
  CHECK(cut_to_columns("abcdef", 6) == "abcdef");
  CHECK(cut_to_columns("abcdefg", 6) == "abcde…");
  CHECK(cut_to_columns("漢字漢字", 6) == "漢字…");
  CHECK(cut_to_columns("漢字漢字", 5) == "漢字…");
  CHECK(cut_to_columns("漢字漢字", 4) == "漢…");
  CHECK(cut_to_columns("abc", 0) == "");
  CHECK(one_line(" a\n\n\tb  ", 80) == "a b");
}

TEST_CASE("numbers are written for people") {
  CHECK(with_thousands(std::uint64_t{0}) == "0");
  CHECK(with_thousands(std::uint64_t{1'000}) == "1,000");
  CHECK(with_thousands(std::uint64_t{81'220}) == "81,220");
  CHECK(with_thousands(std::string_view("1e3")) == "1e3");
  CHECK(short_bytes(999) == "999 B");
  CHECK(short_bytes(41'237) == "41.2 kB");
  CHECK(short_bytes(999'960) == "1.0 MB");
  CHECK(short_duration(5) == "0.01s");
  CHECK(short_duration(9'996) == "10.0s");
  CHECK(short_duration(59'960) == "1m 00s");
  CHECK(short_duration(3'725'000) == "1h 02m");
  CHECK(counted(1, "process") == "1 process");
  CHECK(counted(2, "process") == "2 processes");
}

TEST_CASE("JSON is shown without what means nothing") {
  CHECK(brief_json("{ \"a\" : [ 1, \"b c\" ] }", 100) == R"({"a":[1,"b c"]})");
  CHECK(brief_json(R"("{\"a\": 1}")", 100) == R"({"a":1})");
  CHECK(brief_json(R"("words \"and\" more")", 100) == R"(words "and" more)");
  CHECK(brief_json("{\"half\": ", 100) == "{\"half\": ");
  CHECK(brief_json("[1, 2, 3, 4, 5]", 6) == "[1,2,3");
}
