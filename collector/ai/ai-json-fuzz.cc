// Any bytes as an exchange with a model: the first byte says which dialect, whether the answer is streamed,
// its status, and whether the bodies are known not to be whole; a NUL separates request and answer.
#include <capnp/message.h>
#include <capnp/serialize.h>

#include "base/bug.h"
#include "collector/ai/ai-exchange.h"
#include "collector/ai/json-text.h"

namespace oisp {
namespace {

void check_raw(const std::string& json) { OISP_BUG_IF(!json.empty() && !ai::is_json(json)); }

void check(const AiExchange& ai) {
  capnp::MallocMessageBuilder message;
  auto request = message.initRoot<schema::AiRequest>();
  ai.fill_request(request);
  OISP_BUG_IF(capnp::computeSerializedSizeInWords(message) * 8 > (std::size_t{16} << 20));
  check_raw(request.getToolChoice().cStr());
  capnp::MallocMessageBuilder answer;
  ai.fill_response(answer.initRoot<schema::AiResponse>());
  for (const ai::ToolCall& call : ai.tool_calls()) {
    check_raw(call.arguments_json);
  }
}

}  // namespace
}  // namespace oisp

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace oisp;
  if (size == 0) {
    return 0;
  }
  const unsigned flags = data[0];
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t split = std::min(bytes.find('\0'), bytes.size());
  Exchange exchange;
  exchange.number = 1;
  exchange.request.has_head = exchange.request.whole = true;
  exchange.request.method = "POST";
  exchange.request.target = (flags & 1) != 0 ? "/v1/messages" : "/v1/chat/completions";
  exchange.request.headers.add("Host", (flags & 2) != 0 ? "api.openai.com" : "localhost");
  exchange.request.body.bytes = bytes.substr(0, split);
  if ((flags & 4) != 0) {
    exchange.request.missing.add(Missing::cut);
    exchange.response.missing.add(Missing::lost);
  }
  const auto ai = recognise_ai(exchange);
  if (ai == nullptr) {
    return 0;
  }
  const std::string_view answer = bytes.substr(std::min(split + 1, bytes.size()));
  exchange.response.has_head = true;
  exchange.response.whole = (flags & 8) != 0;
  exchange.response.status = (flags & 16) != 0 ? 400 : 200;
  exchange.response.headers.add("Content-Type", (flags & 32) != 0 ? "text/event-stream" : "application/json");
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
