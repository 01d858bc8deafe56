// For tests: what is decoded of an exchange with a model, as text.
#pragma once

#include <capnp/message.h>
#include <capnp/serialize.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>

#include "collector/ai/ai-exchange.h"
#include "collector/http/http-connection.h"
#include "ipc-schema/event-json.h"

namespace oisp::test {

struct AiCase {
  std::string request;
  std::string response;  // empty: none
};

inline std::string post(const std::string& host, const std::string& path, const std::string& headers,
                        const std::string& body) {
  return "POST " + path + " HTTP/1.1\r\nHost: " + host + "\r\n" + headers +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}
inline std::string answer(int status, const std::string& headers, const std::string& body) {
  return "HTTP/1.1 " + std::to_string(status) + " Word\r\n" + headers +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}
inline std::string chunk(const std::string& bytes) {
  constexpr const char* kHex = "0123456789abcdef";
  std::string size;
  for (std::size_t left = bytes.size(); left > 0; left /= 16) {
    size.insert(size.begin(), kHex[left % 16]);
  }
  return size + "\r\n" + bytes + "\r\n";
}

// In bytes, of those that this program has made.
inline std::size_t& largest_event() {
  static std::size_t bytes = 0;
  return bytes;
}

// An event's data as the JSON exporter writes it.
template <typename Fill>
std::string event_of(Fill&& fill) {
  capnp::MallocMessageBuilder message;
  auto event = message.initRoot<schema::Event>();
  fill(event.initData());
  largest_event() = std::max(largest_event(), capnp::computeSerializedSizeInWords(message) * sizeof(capnp::word));
  const std::string line = render_event_json(event.asReader());
  return line.substr(line.find("\"data\":")) + "\n";
}

class AiListener : public ExchangeListener {
 public:
  void on_request(const Exchange& exchange) override {
    if (auto ai = recognise_ai(exchange, "https"); ai != nullptr) {
      text_ += event_of([&](auto data) { ai->fill_request(data.initAiRequest()); });
      for (const ai::ToolResult& result : ai->tool_results()) {
        text_ += "result " + result.call_id + " " + result.name + " [" + result.result + "] " +
                 std::to_string(result.size_bytes) +
                 (!result.success.has_value() ? ""
                  : *result.success           ? " succeeded"
                                              : " failed") +
                 "\n";
      }
      ai->forget_request();
      open_.emplace(exchange.number, std::move(ai));
    }
  }
  void on_response_head(const Exchange& exchange) override {
    if (AiExchange* const ai = find(exchange)) {
      ai->on_response_head(exchange);
    }
  }
  void on_response_body(const Exchange& exchange, std::string_view piece) override {
    if (AiExchange* const ai = find(exchange)) {
      ai->on_response_body(exchange, piece);
    }
  }
  void on_response_gap(const Exchange& exchange) override {
    if (AiExchange* const ai = find(exchange)) {
      ai->on_response_gap(exchange);
    }
  }
  void on_finished(const Exchange& exchange) override {
    AiExchange* const ai = find(exchange);
    if (ai == nullptr) {
      return;
    }
    ai->on_finished(exchange);
    text_ += event_of([&](auto data) {
      if (ai->is_embedding()) {
        ai->fill_embedding(data.initAiEmbedding());
      } else {
        ai->fill_response(data.initAiResponse());
      }
    });
    for (const ai::ToolCall& call : ai->tool_calls()) {
      text_ += "call " + call.id + " " + call.name + " " + call.type + " " + call.arguments_json +
               (call.server.empty() ? "" : " on " + call.server) + "\n";
    }
    text_.append(detection_word(ai->detection())).append(ai->path_known() ? "" : " path_unknown").append(" request:");
    ai->request_missing().each_word([&](std::string_view word) { text_.append(" !").append(word); });
    text_.append(" response:");
    ai->response_missing().each_word([&](std::string_view word) { text_.append(" !").append(word); });
    text_.append("\n");
    open_.erase(exchange.number);
  }
  void on_protocol(Protocol) override {}
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  AiExchange* find(const Exchange& exchange) {
    const auto found = open_.find(exchange.number);
    return found == open_.end() ? nullptr : found->second.get();
  }
  std::map<std::uint32_t, std::unique_ptr<AiExchange>> open_;
  std::string text_;
};

// Feeds the answer in pieces, the first of them of `first_bytes` where that is not 0.
inline std::string ai_transcript(const AiCase& one, std::size_t piece_bytes, std::size_t first_bytes) {
  AiListener told;
  HttpConnection connection(told, {});
  connection.on_bytes(Direction::write, one.request, {.entry_ns = 1, .return_ns = 1});
  std::string_view rest = one.response;
  while (!rest.empty()) {
    const std::size_t size = first_bytes != 0 ? std::exchange(first_bytes, 0) : piece_bytes;
    connection.on_bytes(Direction::read, rest.substr(0, size), {.entry_ns = 2, .return_ns = 2});
    rest.remove_prefix(std::min(size, rest.size()));
  }
  connection.on_end(EndCause::process_ended);
  return told.text();
}

}  // namespace oisp::test
