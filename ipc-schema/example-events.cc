#include "ipc-schema/example-events.h"

#include <array>
#include <cstdint>
#include <string>

namespace oisp {
namespace {

using schema::Event;

constexpr std::uint64_t kStart = 1'767'434'400'000'000'000;  // 2026-01-03T10:00:00Z

void build_envelope(Event::Builder event, std::size_t index, std::uint64_t after_ns) {
  static constexpr char kDigits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  std::string id = "01KE1FHVG0A2B3C4D5E6F7G8H";
  id += kDigits[index + 1];
  event.setOispVersion("0.1");
  event.setEventId(id);
  event.setTs(kStart + after_ns);
  event.setTsMono(81'234'567'890 + after_ns);
  auto host = event.initHost();
  host.setHostname("build-7");
  host.setOs("linux");
  host.setOsVersion("Debian GNU/Linux 12 (bookworm)");
  host.setArch("x86_64");
  host.setKernelVersion("6.1.0-28-amd64");
  auto source = event.initSource();
  source.setCollector("oisp-sensor");
  source.setCollectorVersion("0.1.0");
  event.initExt().initOispSensor().setSequence(index + 1);
}

// What events of a process have besides.
void build_process(Event::Builder event) {
  auto actor = event.initActor();
  actor.setUid(1000);
  actor.setUser("ana");
  actor.setGid(1000);
  auto process = event.initProcess();
  process.setPid(4121);
  process.setPpid(4100);
  process.setExe("/usr/bin/python3.11");
  process.setName("python3");
  process.setCwd("/home/ana/shop");
  process.setTid(4121);
  event.initApp().setTier("unknown");
  auto ext = event.getExt().getOispSensor();
  ext.setBootId("6f1a3bce-0c1e-4f2c-9a53-5f7f4f5d8c11");
  ext.setProcessStart(kStart - 1'500'000'000);
  ext.setExecCount(2);
  ext.setCgroupId(5120);
  ext.setMountNamespace(4026531841);
}

// What events decoded from plaintext have besides.
void build_plaintext(Event::Builder event, const char* point) {
  build_process(event);
  auto source = event.getSource();
  source.setCaptureMethod("tls_boundary");
  source.setCapturePoint(point);
  auto confidence = event.initConfidence();
  confidence.setLevel("high");
  confidence.setCompleteness("full");
  confidence.initReasons(1).set(0, "tls_boundary_capture");
  confidence.setContentSource("tls_boundary");
  confidence.setAiDetectionMethod("known_endpoint");
  auto ext = event.getExt().getOispSensor();
  ext.setStream("4121-1767434398500000000-1");
  ext.setExchange(1);
  auto connection = ext.initConnection();
  connection.initLocal().setIp("192.0.2.10");
  connection.getLocal().setPort(51234);
  connection.initRemote().setIp("203.0.113.9");
  connection.getRemote().setPort(443);
  connection.getRemote().setDomain("api.anthropic.com");
  connection.setConfidence("socket");
}

void build_request(Event::Builder event) {
  build_plaintext(event, "ssl_write");
  auto ext = event.getExt().getOispSensor();
  auto http = ext.initHttp();
  http.setMethod("POST");
  http.setScheme("https");
  http.setHost("api.anthropic.com");
  http.setPath("/v1/messages");
  http.setVersion("1.1");
  http.setContentType("application/json");
  http.setBodyBytes(611);
  http.setUserAgent("anthropic-python/0.75.0");
  auto secret = ext.initSecrets(1)[0];
  secret.setType("anthropic_api_key");
  secret.setCount(1);
  auto data = event.getData().initAiRequest();
  data.setRequestId("01KE1FHVG0A2B3C4D5E6F7G8R1");
  data.initProvider().setName("anthropic");
  data.getProvider().setEndpoint("https://api.anthropic.com/v1/messages");
  data.initModel().setId("claude-sonnet-4-5");
  data.getModel().setFamily("claude");
  data.setRequestType("chat");
  data.setDialect("anthropic.messages");
  data.setStreaming(schema::Tri::YES);
  auto message = data.initMessages(1)[0];
  message.setRole("user");
  message.setContent("fix the failing test");
  message.setContentLength(20);
  data.setMessagesCount(1);
  data.setHasSystemPrompt(schema::Tri::YES);
  data.setSystem("You are a careful programmer.");
  auto tool = data.initTools(1)[0];
  tool.setName("Bash");
  tool.setDescription("Runs a command.");
  data.setToolsCount(1);
  data.setToolChoice(R"({"type":"auto"})");
  data.initParameters().setMaxTokens("1024");
  data.getParameters().setTemperature("0.2");
  data.setHasImages(schema::Tri::NO);
}

void build_response(Event::Builder event) {
  build_plaintext(event, "ssl_read");
  auto http = event.getExt().getOispSensor().initHttp();
  http.setVersion("1.1");
  http.setStatusCode(200);
  http.setContentType("text/event-stream; charset=utf-8");
  http.setBodyBytes(2310);
  auto data = event.getData().initAiResponse();
  data.setRequestId("01KE1FHVG0A2B3C4D5E6F7G8R1");
  data.setProviderRequestId("msg_01XFDUDYJgAACzvnptvVoYEL");
  data.initProvider().setName("anthropic");
  data.initModel().setId("claude-sonnet-4-5-20250929");
  data.getModel().setFamily("claude");
  data.setStatusCode(200);
  data.setSuccess(schema::Tri::YES);
  auto choice = data.initChoices(1)[0];
  choice.initMessage().setRole("assistant");
  choice.getMessage().setContent("I'll run the tests first.");
  choice.setFinishReason("tool_use");
  auto call = data.initToolCalls(1)[0];
  call.setId("toolu_01A09q90qw90lq917835lq9");
  call.setName("Bash");
  call.setArguments(R"({"command":"npm test"})");
  data.setToolCallsCount(1);
  auto usage = data.initUsage();
  usage.setPromptTokens("9812");
  usage.setCompletionTokens("214");
  usage.setCachedTokens("9102");
  data.setLatencyMs(2753);
  data.setTimeToFirstTokenMs(612);
  data.setFinishReason("tool_calls");
  data.setFinishReasonRaw("tool_use");
  data.setStreaming(schema::Tri::YES);
  data.setChunkCount(41);
}

void build_tool_call(Event::Builder event) {
  build_plaintext(event, "ssl_read");
  auto related = event.initRelatedEvents(1)[0];
  related.setEventId("01KE1FHVG0A2B3C4D5E6F7G8H2");
  related.setRelationship("parent");
  auto data = event.getData().initToolCall();
  data.setRequestId("01KE1FHVG0A2B3C4D5E6F7G8R1");
  data.initTool().setName("Bash");
  data.setCallId("toolu_01A09q90qw90lq917835lq9");
  data.setTriggeredBy("llm_decision");
  data.setArguments(R"({"command":"npm test"})");
}

void build_tool_result(Event::Builder event) {
  build_plaintext(event, "ssl_write");
  auto data = event.getData().initToolResult();
  data.setRequestId("01KE1FHVG0A2B3C4D5E6F7G8R2");
  data.initTool().setName("Bash");
  data.setCallId("toolu_01A09q90qw90lq917835lq9");
  data.setSuccess(schema::Tri::NO);
  data.setResult("1 failing");
  data.setResultSizeBytes(9);
}

void build_exec(Event::Builder event) {
  build_process(event);
  auto process = event.getProcess();
  process.setPid(4190);
  process.setPpid(4121);
  process.setExe("/usr/bin/dash");
  process.setName("sh");
  process.setTid(4190);
  auto data = event.getData().initProcessExec();
  data.setExe("/usr/bin/dash");
  auto arguments = data.initArgs(3);
  arguments.set(0, "sh");
  arguments.set(1, "-c");
  arguments.set(2, "npm test");
  data.setCwd("/home/ana/shop");
}

void build_exit(Event::Builder event) {
  build_process(event);
  auto process = event.getProcess();
  process.setPid(4190);
  process.setPpid(4121);
  process.setName("sh");
  process.setTid(4190);
  auto data = event.getData().initProcessExit();
  data.setExitCode(1);
  data.setRuntimeMs(3204);
  data.setTerminationType("normal");
}

void build_fork(Event::Builder event) {
  build_process(event);
  event.getData().initProcessFork().setChildPid(4190);
}

void build_connect(Event::Builder event) {
  build_process(event);
  auto data = event.getData().initNetworkConnect();
  data.initDest().setIp("203.0.113.9");
  data.getDest().setPort(443);
  data.initSrc().setIp("192.0.2.10");
  data.getSrc().setPort(51234);
  data.setProtocol("tcp");
  data.setSuccess(schema::Tri::YES);
  data.setLatencyMs("11.204");
}

void build_flow(Event::Builder event) {
  build_process(event);
  auto data = event.getData().initNetworkFlow();
  data.initDest().setIp("203.0.113.9");
  data.getDest().setPort(443);
  data.initSrc().setIp("192.0.2.10");
  data.getSrc().setPort(51234);
  data.setProtocol("tcp");
  data.setBytesSent(43'127);
  data.setBytesReceived(9'204);
  data.setDurationMs(2'781);
  auto tls = data.initTls();
  tls.setSni("api.anthropic.com");
  tls.setPlaintextSent(41'790);
  tls.setPlaintextReceived(4'655);
}

void build_handshake(Event::Builder event) {
  build_process(event);
  auto data = event.getData().initTlsHandshake();
  data.setSni("api.anthropic.com");
  data.setSuccess(schema::Tri::YES);
  data.setDurationMs("24.817");
  data.setLibrary("openssl 3.0 /usr/lib/x86_64-linux-gnu/libssl.so.3");
  data.setRole("client");
}

void build_start(Event::Builder event) {
  auto data = event.getData().initSensorStart();
  data.setScope("python3[4121] as ana, and its descendants");
  auto command = data.initCommand(2);
  command.set(0, "python3");
  command.set(1, "agent.py");
  data.setPid(4121);
  data.setUprobes("uprobe_multi");
  data.setContent("secrets masked");
}

void build_stop(Event::Builder event) {
  auto data = event.getData().initSensorStop();
  data.setReason("command_ended");
  data.setDurationMs(41'203);
  data.setCommandExitCode(0);
}

void build_coverage(Event::Builder event) {
  auto data = event.getData().initSensorCoverage();
  data.setProcesses(6);
  data.setConnections(8);
  data.setTlsConnections(8);
  data.setTlsConnectionsRead(7);
  data.setStreams(7);
  data.setPlaintextBytes(214'880);
  data.setHttpExchanges(7);
  data.setAiExchanges(7);
  auto file = data.initFiles(1)[0];
  file.setPath("/usr/lib/x86_64-linux-gnu/libssl.so.3");
  file.setOutcome("probed");
  file.setFamily("openssl 3.0");
  file.setSites(13);
  file.setTrust("trusted");
  auto blind = data.initBlindSpots(1)[0];
  auto process = blind.initProcess();
  process.setPid(4188);
  process.setName("tool");
  process.setExe("/usr/bin/tool");
  blind.initRemote().setIp("203.0.113.9");
  blind.getRemote().setPort(443);
  blind.setReason("no_tls_library");
  blind.setDetail("no known TLS library in /usr/bin/tool; OpenSSL and BoringSSL are read so far");
  blind.setCount(1);
  data.setFinal(schema::Tri::YES);
}

void build_loss(Event::Builder event) {
  auto data = event.getData().initSensorLoss();
  data.setLost(12);
  data.setLostBytes(49'152);
  auto cause = data.initCauses(1)[0];
  cause.setFamily("tls");
  cause.setPlace("ring");
  cause.setCause("full");
  cause.setCount(12);
  cause.setBytes(49'152);
  data.setFinal(schema::Tri::YES);
}

void build_embedding(Event::Builder event) {
  build_plaintext(event, "ssl_read");
  auto http = event.getExt().getOispSensor().initHttp();
  http.setVersion("2");
  http.setStatusCode(200);
  http.setContentType("application/json");
  http.setBodyBytes(16'612);
  auto data = event.getData().initAiEmbedding();
  data.setRequestId("01KE1FHVG0A2B3C4D5E6F7G8R3");
  data.initProvider().setName("openai");
  data.getProvider().setEndpoint("https://api.openai.com/v1/embeddings");
  data.initModel().setId("text-embedding-3-small");
  data.setStatusCode(200);
  data.setSuccess(schema::Tri::YES);
  data.setInputCount(2);
  data.setInputBytes(57);
  data.setEmbeddingCount(2);
  data.setDimensions(1536);
  data.setTotalTokens("14");
  data.initUsage().setPromptTokens("14");
  data.getUsage().setTotalTokens("14");
  data.setLatencyMs(90);
}

constexpr std::array<void (*)(Event::Builder), kExampleCount> kBuilders = {
    build_request, build_response, build_tool_call, build_tool_result, build_exec,
    build_exit,    build_fork,     build_connect,   build_handshake,   build_start,
    build_stop,    build_coverage, build_loss,      build_embedding,   build_flow,
};

}  // namespace

void build_example_event(std::size_t index, Event::Builder event) {
  build_envelope(event, index, index * 412'000'000 + 118'000'123);
  kBuilders[index](event);
}

}  // namespace oisp
