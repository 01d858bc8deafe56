// An exchange with a model, whose dialect is known: reads request and answer as they come, and says in an
// event what they said.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "collector/ai/ai-exchange.h"
#include "collector/ai/body-shape.h"
#include "collector/ai/dialect.h"
#include "collector/http/json-lines.h"
#include "collector/http/sse.h"

namespace oisp::ai {

struct DialectRow {
  Dialect dialect;
  std::string_view word;
  std::string_view request_type = "chat";
  std::string_view provider = "unknown";  // where the host says nothing
  std::unique_ptr<DialectDecoder> (*make)();
  // Is the path one at which this dialect is spoken?
  bool (*path)(const HttpRequest& request);
  // Does a request of that path, to a host that nobody knows, have the form of this dialect?
  bool (*shape)(const HttpRequest& request, const BodyKeys& keys);
};

class DecodedExchange final : public AiExchange, private SseListener {
 public:
  // `row` stays where it is.
  DecodedExchange(const DialectRow& row, AiDetection detection, std::string_view provider, std::string_view scheme,
                  const Exchange& exchange);

  // Nothing: the body is none, or cannot be read.
  void read_request(JsonReader& reader, std::optional<JsonObject> body);

  void on_response_head(const Exchange& exchange) override;
  void on_response_body(const Exchange& exchange, std::string_view piece) override;
  void on_response_gap(const Exchange& exchange) override;
  void on_finished(const Exchange& exchange) override;
  void forget_request() override;
  [[nodiscard]] std::size_t held_bytes() const override;

  [[nodiscard]] Dialect dialect() const override { return row_.dialect; }
  [[nodiscard]] AiDetection detection() const override { return detection_; }
  [[nodiscard]] bool path_known() const override { return path_known_; }
  [[nodiscard]] bool is_embedding() const override { return row_.request_type == "embedding"; }
  [[nodiscard]] std::string_view provider() const override { return provider_; }
  [[nodiscard]] std::string_view endpoint() const override { return endpoint_; }
  [[nodiscard]] const Request& request() const override { return request_; }
  [[nodiscard]] const Response& response() const override { return response_; }
  [[nodiscard]] MissingSet request_missing() const override { return request_missing_; }
  [[nodiscard]] MissingSet response_missing() const override { return response_missing_; }
  void fill_request(schema::AiRequest::Builder builder) const override;
  void fill_response(schema::AiResponse::Builder builder) const override;
  void fill_embedding(schema::AiEmbedding::Builder builder) const override;

 private:
  // How the answer comes: as one object, or in events.
  enum class Framing : std::uint8_t { object, sse, lines };
  static Framing framing_of(const HttpResponse& response);

  void on_event(const SseEvent& event) override;
  void take_piece(std::string_view piece);
  void finish_stream(const Exchange& exchange);
  void finish_object(const Exchange& exchange);
  void read_failure(const HttpResponse& response);
  [[nodiscard]] bool failed() const { return status_ != 0 && status_ / 100 != 2; }
  [[nodiscard]] schema::Tri success() const;
  template <typename Builder>
  void fill_provider(Builder builder) const;
  template <typename Builder>
  void fill_outcome(Builder builder) const;

  const DialectRow& row_;
  AiDetection detection_;
  bool path_known_;
  std::string_view provider_;
  std::string endpoint_;
  std::unique_ptr<DialectDecoder> decoder_;
  Request request_;
  std::size_t request_bytes_ = 0;
  Response response_;
  MissingSet request_missing_;
  MissingSet response_missing_;
  JsonReader answer_{kMostText / 2};  // reads the answer, whose tool calls are kept twice
  SseParser sse_;
  JsonLinesParser lines_;
  ExchangeTimes times_;
  bool has_response_ = false;
  int status_ = 0;  // 0: there is none, or it was not seen
  Framing framing_ = Framing::object;
  bool ended_ = false;  // the stream said that it is whole
  std::uint64_t now_ns_ = 0;
  std::uint64_t first_token_ns_ = 0;
  std::int64_t chunks_ = 0;
};

}  // namespace oisp::ai
