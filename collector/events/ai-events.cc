#include "collector/events/ai-events.h"

#include <sodium.h>

#include <algorithm>

#include "base/text-array.h"
#include "base/utf8.h"

namespace oisp {
namespace {

bool is_utf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t length = utf8_length(bytes);
    if (length == 0) return false;
    bytes.remove_prefix(length);
  }
  return true;
}

// A copy with a terminator, which setters of Text want.
void set_text(std::string_view text, auto&& set) {
  if (!text.empty()) set(std::string(text));
}

CapturePoint point_of(bool is_tls, bool writes) {
  if (is_tls) return writes ? CapturePoint::ssl_write : CapturePoint::ssl_read;
  return writes ? CapturePoint::socket_write : CapturePoint::socket_read;
}

const char* word_of(HttpRole role) { return role == HttpRole::server ? "server" : "client"; }

Origin origin_of(const ExchangeContext& context, const Exchange& exchange, bool of_request) {
  const bool writes = (exchange.role == HttpRole::client) == of_request;
  const std::uint64_t at = of_request ? exchange.times.request_first_ns : exchange.times.response_last_ns;
  return {.process = context.process,
          .tid = context.stream.tid,
          .boot_ns = at != 0 ? at : context.now_ns,
          .point = point_of(context.stream.is_tls, writes)};
}

void fill_endpoint(schema::Endpoint::Builder builder, const Address& address, const std::string& domain) {
  if (!address.ip.empty()) builder.setIp(address.ip);
  builder.setPort(address.port);
  if (!domain.empty()) builder.setDomain(domain);
}

void fill_stream(schema::SensorExtension::Builder ext, const ExchangeContext& context, const Exchange& exchange,
                 const MissingSet& missing) {
  ext.setStream(context.stream.name);
  ext.setExchange(exchange.number);
  ext.setRole(word_of(exchange.role));
  if (context.connection != nullptr) {
    auto connection = ext.initConnection();
    const std::string& domain =
        context.connection->server_name.empty() ? context.stream.server_name : context.connection->server_name;
    fill_endpoint(connection.initLocal(), context.connection->local, {});
    fill_endpoint(connection.initRemote(), context.connection->remote, domain);
    connection.setConfidence(std::string(link_word(context.stream.link)));
  }
  if (missing.empty()) return;
  auto words = ext.initIncomplete(missing.size());
  unsigned i = 0;
  missing.each_word([&](std::string_view word) { words.set(i++, std::string(word)); });
}

void fill_body(schema::HttpExchange::Builder http, const HttpMessage& message, bool bodies) {
  http.setBodyBytes(static_cast<std::int64_t>(message.body.wire_bytes));
  http.setDecodedBytes(message.body.decoded_bytes);
  set_text(message.body.encoding, [&](const std::string& text) { http.setContentEncoding(text); });
  if (!bodies || message.body.bytes.empty()) return;
  const std::string& bytes = message.body.bytes;
  if (is_utf8(bytes)) {
    http.setBody(bytes);
    return;
  }
  std::string base64(sodium_base64_ENCODED_LEN(bytes.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
  (void)::sodium_bin2base64(base64.data(), base64.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                            bytes.size(), sodium_base64_VARIANT_ORIGINAL);
  base64.pop_back();  // its terminator
  http.setBodyBase64(base64);
}

// Only what has a field leaves: no header is carried as such.
void fill_request_http(schema::HttpExchange::Builder http, const HttpRequest& request, std::string_view scheme,
                       bool bodies) {
  set_text(request.method, [&](const std::string& text) { http.setMethod(text); });
  http.setScheme(std::string(scheme));
  set_text(request.host(), [&](const std::string& text) { http.setHost(text); });
  set_text(request.path_and_query(), [&](const std::string& text) { http.setPath(text); });
  set_text(request.version, [&](const std::string& text) { http.setVersion(text); });
  set_text(request.headers.find("content-type").value_or(""),
           [&](const std::string& text) { http.setContentType(text); });
  set_text(request.headers.find("user-agent").value_or(""), [&](const std::string& text) { http.setUserAgent(text); });
  fill_body(http, request, bodies);
}

void fill_response_http(schema::HttpExchange::Builder http, const HttpResponse& response, bool bodies) {
  if (!response.has_head) return;
  http.setStatusCode(response.status);
  set_text(response.version, [&](const std::string& text) { http.setVersion(text); });
  set_text(response.headers.find("content-type").value_or(""),
           [&](const std::string& text) { http.setContentType(text); });
  fill_body(http, response, bodies);
}

void fill_confidence(schema::Event::Builder event, const ExchangeContext& context, const AiExchange& ai,
                     const MissingSet& missing) {
  auto confidence = event.getConfidence();
  confidence.setCompleteness(missing.empty() ? "full" : "partial");
  if (!ai.path_known()) confidence.setLevel("medium");
  auto reasons = confidence.initReasons(ai.path_known() ? 1 : 2);
  reasons.set(0, context.stream.is_tls ? "tls_boundary_capture" : "plaintext_capture");
  if (!ai.path_known()) reasons.set(1, "path_unknown");
  confidence.setContentSource(context.stream.is_tls ? "tls_boundary" : "plaintext_capture");
  confidence.setAiDetectionMethod(std::string(detection_word(ai.detection())));
}

void relate(schema::Event::Builder event, const std::string& id) {
  auto related = event.initRelatedEvents(1);
  related[0].setEventId(id);
  related[0].setRelationship("caused_by");
}

void emit_tool_result(EventFactory& factory, const ExchangeContext& context, const Exchange& exchange,
                      const OpenAiExchange& open, const ai::ToolResult& tool) {
  (void)factory.emit(origin_of(context, exchange, true), [&](schema::Event::Builder event) {
    fill_stream(event.getExt().getOispSensor(), context, exchange, {});
    fill_confidence(event, context, *open.ai, {});
    relate(event, open.request_event);
    auto result = event.getData().initToolResult();
    result.setRequestId(open.request_id);
    set_text(tool.name, [&](const std::string& text) { result.initTool().setName(text); });
    result.setCallId(tool.call_id);
    if (tool.success) result.setSuccess(*tool.success ? schema::Tri::YES : schema::Tri::NO);
    result.setResult(tool.result);
    result.setResultSizeBytes(tool.size_bytes);
  });
}

void emit_tool_call(EventFactory& factory, const ExchangeContext& context, const Exchange& exchange,
                    const OpenAiExchange& open, const ai::ToolCall& tool, const std::string& response_event) {
  (void)factory.emit(origin_of(context, exchange, false), [&](schema::Event::Builder event) {
    fill_stream(event.getExt().getOispSensor(), context, exchange, {});
    fill_confidence(event, context, *open.ai, {});
    relate(event, response_event);
    auto call = event.getData().initToolCall();
    call.setRequestId(open.request_id);
    auto name = call.initTool();
    name.setName(tool.name);
    set_text(tool.type, [&](const std::string& text) { name.setType(text); });
    set_text(tool.server, [&](const std::string& text) { name.setServer(text); });
    set_text(tool.id, [&](const std::string& text) { call.setCallId(text); });
    call.setTriggeredBy("llm_decision");
    set_text(tool.arguments_json, [&](const std::string& text) { call.setArguments(text); });
  });
}

}  // namespace

void emit_request(EventFactory& factory, const ExchangeContext& context, const Exchange& exchange,
                  OpenAiExchange& open) {
  const Origin origin = origin_of(context, exchange, true);
  const AiExchange& ai = *open.ai;
  open.request_id = factory.make_id(origin.boot_ns);
  open.request_event = factory.emit(origin, [&](schema::Event::Builder event) {
    auto ext = event.getExt().getOispSensor();
    fill_stream(ext, context, exchange, ai.request_missing());
    fill_request_http(ext.initHttp(), exchange.request, context.stream.scheme(), context.bodies);
    fill_confidence(event, context, ai, ai.request_missing());
    auto request = event.getData().initAiRequest();
    ai.fill_request(request);
    request.setRequestId(open.request_id);
  });
  for (const ai::ToolResult& result : ai.tool_results()) emit_tool_result(factory, context, exchange, open, result);
}

void emit_response(EventFactory& factory, const ExchangeContext& context, const Exchange& exchange,
                   const OpenAiExchange& open) {
  const AiExchange& ai = *open.ai;
  const std::string id = factory.emit(origin_of(context, exchange, false), [&](schema::Event::Builder event) {
    auto ext = event.getExt().getOispSensor();
    fill_stream(ext, context, exchange, ai.response_missing());
    fill_response_http(ext.initHttp(), exchange.response, context.bodies);
    fill_confidence(event, context, ai, ai.response_missing());
    relate(event, open.request_event);
    if (ai.is_embedding()) {
      auto embedding = event.getData().initAiEmbedding();
      ai.fill_embedding(embedding);
      embedding.setRequestId(open.request_id);
    } else {
      auto response = event.getData().initAiResponse();
      ai.fill_response(response);
      response.setRequestId(open.request_id);
    }
  });
  for (const ai::ToolCall& call : ai.tool_calls()) emit_tool_call(factory, context, exchange, open, call, id);
}

OpenRequest describe_open(const ExchangeContext& context, const Exchange& exchange, const OpenAiExchange& open) {
  OpenRequest about{};
  if (context.process != nullptr) {
    const Process& process = *context.process;
    about.tgid = process.key.tgid;
    about.start_ns = process.key.start_ns;
    about.exec_count = process.exec_count;
    about.ppid = static_cast<std::uint32_t>(std::max<std::int64_t>(process.ppid, 0));
    about.uid = process.uid;
    about.gid = static_cast<std::uint32_t>(std::max<std::int64_t>(process.gid, 0));
    about.cgroup_id = process.cgroup_id;
    about.mount_ns = process.mount_ns;
    fill_text(about.path, process.path);
    fill_text(about.name, process.name);
  }
  about.exchange = exchange.number;
  about.is_server = exchange.role == HttpRole::server ? 1 : 0;
  about.is_embedding = open.ai->is_embedding() ? 1 : 0;
  about.is_plain = context.stream.is_tls ? 0 : 1;
  fill_text(about.stream, context.stream.name);
  fill_text(about.request_id, open.request_id);
  fill_text(about.request_event, open.request_event);
  fill_text(about.provider, open.ai->provider());
  fill_text(about.endpoint, open.ai->endpoint());
  return about;
}

void emit_unanswered(EventFactory& factory, const OpenRequest& about, std::uint64_t now_ns) {
  const auto text = [](const auto& array) { return std::string(view_text(array)); };
  Process process;
  process.key = {.tgid = about.tgid, .start_ns = about.start_ns};
  process.exec_count = about.exec_count;
  process.ppid = about.ppid;
  process.uid = about.uid;
  process.gid = about.gid;
  process.cgroup_id = about.cgroup_id;
  process.mount_ns = about.mount_ns;
  process.path = text(about.path);
  process.name = text(about.name);
  const Origin origin{
      .process = &process, .tid = 0, .boot_ns = now_ns, .point = point_of(about.is_plain == 0, about.is_server != 0)};
  (void)factory.emit(origin, [&](schema::Event::Builder event) {
    auto ext = event.getExt().getOispSensor();
    ext.setStream(text(about.stream));
    ext.setExchange(about.exchange);
    ext.setRole(word_of(about.is_server != 0 ? HttpRole::server : HttpRole::client));
    ext.initIncomplete(1).set(0, "collector_restarted");
    event.getConfidence().setCompleteness("metadata_only");
    relate(event, text(about.request_event));
    const auto fill = [&](auto answer) {
      answer.setRequestId(text(about.request_id));
      auto provider = answer.initProvider();
      provider.setName(text(about.provider));
      set_text(view_text(about.endpoint), [&](const std::string& endpoint) { provider.setEndpoint(endpoint); });
    };
    if (about.is_embedding != 0) {
      fill(event.getData().initAiEmbedding());
    } else {
      fill(event.getData().initAiResponse());
    }
  });
}

}  // namespace oisp
