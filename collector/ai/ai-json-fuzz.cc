// Any bytes as an exchange with a model: the first byte says which host, whether and how the answer is streamed,
// its status, and whether the bodies are known not to be whole, the second which path; a NUL separates request
// and answer.
#include <capnp/message.h>
#include <capnp/serialize.h>

#include <array>

#include "base/bug.h"
#include "collector/ai/ai-exchange.h"
#include "collector/ai/json-text.h"

namespace oisp {
namespace {

void check_raw(const std::string& json) { OISP_BUG_IF(!json.empty() && !ai::is_json(json)); }

// The last one: the path was not seen.
constexpr std::array kPaths = std::to_array<const char*>({"/v1/chat/completions", "/v1/messages", "/v1/responses",
                                                          "/v1/embeddings", "/api/chat", "/api/generate", "/api/embed",
                                                          "/v1/messages/count_tokens", "/v1/responses/compact", ""});

void check(const AiExchange& ai) {
  capnp::MallocMessageBuilder message;
  auto request = message.initRoot<schema::AiRequest>();
  ai.fill_request(request);
  OISP_BUG_IF(capnp::computeSerializedSizeInWords(message) * 8 > (std::size_t{16} << 20));
  check_raw(request.getToolChoice().cStr());
  capnp::MallocMessageBuilder answer;
  if (ai.is_embedding()) {
    ai.fill_embedding(answer.initRoot<schema::AiEmbedding>());
  } else {
    ai.fill_response(answer.initRoot<schema::AiResponse>());
  }
  OISP_BUG_IF(capnp::computeSerializedSizeInWords(answer) * 8 > (std::size_t{16} << 20));
  for (const ai::ToolCall& call : ai.tool_calls()) {
    check_raw(call.arguments_json);
  }
}

}  // namespace
}  // namespace oisp

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace oisp;
  if (size < 2) {
    return 0;
  }
  const unsigned flags = data[0];
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::size_t split = std::min(bytes.find('\0'), bytes.size());
  Exchange exchange;
  exchange.number = 1;
  exchange.request.has_head = exchange.request.whole = true;
  exchange.request.method = "POST";
  exchange.request.target = kPaths[data[1] % kPaths.size()];
  exchange.request.headers.add("Host", (flags & 2) != 0 ? "api.openai.com" : "localhost");
  exchange.request.body.bytes = bytes.substr(0, split);
  if ((flags & 4) != 0 || exchange.request.target.empty()) {
    exchange.request.missing.add(Missing::cut);
    exchange.response.missing.add(Missing::lost);
  }
  const auto ai = recognise_ai(exchange, "https");
  if (ai == nullptr) {
    return 0;
  }
  const std::string_view answer = bytes.substr(std::min(split + 1, bytes.size()));
  exchange.response.has_head = true;
  exchange.response.whole = (flags & 8) != 0;
  exchange.response.status = (flags & 16) != 0 ? 400 : 200;
  exchange.response.headers.add("Content-Type", (flags & 32) == 0  ? "application/json"
                                                : (flags & 1) == 0 ? "text/event-stream"
                                                                   : "application/x-ndjson");
  exchange.response.body.bytes = answer;
  ai->on_response_head(exchange);
  const std::size_t half = answer.size() / 2;
  ai->on_response_body(exchange, answer.substr(0, half));
  if ((flags & 64) != 0) {
    ai->on_response_gap(exchange);
  }
  ai->on_response_body(exchange, answer.substr(half));
  ai->on_finished(exchange);
  check(*ai);
  return 0;
}
