#include "collector/ai/ai-exchange.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/bug.h"
#include "collector/ai/dialect.h"
#include "collector/ai/fill.h"
#include "collector/ai/json-text.h"
#include "collector/ai/provider.h"
#include "collector/http/sse.h"

namespace oisp {
namespace {

using ai::JsonObject;
using ai::JsonReader;
using ai::JsonValue;

// What the keys of a request's body say of its dialect.
struct Shape {
  bool readable = false;  // it is a JSON object, or the beginning of one
  bool messages = false;
  bool max_tokens = false;
};

struct DialectRow {
  Dialect dialect;
  std::string_view word;
  std::unique_ptr<ai::DialectDecoder> (*make)();
  // Is the path one at which this dialect is spoken?
  bool (*path)(const HttpRequest& request);
  // Does a request of that path, to a host that nobody knows, have the form of this dialect?
  bool (*shape)(const HttpRequest& request, const Shape& shape);
};

bool is_chat_completions(const HttpRequest& request) { return request.path().ends_with("/chat/completions"); }
bool has_chat_shape(const HttpRequest&, const Shape& shape) { return shape.messages; }

// Not …/messages/count_tokens, …/messages/batches, nor OpenAI's …/threads/ID/messages.
bool is_messages(const HttpRequest& request) {
  return request.path().ends_with("/v1/messages") ||
         (request.path().ends_with("/messages") && request.headers.find("anthropic-version").has_value());
}
bool has_messages_shape(const HttpRequest& request, const Shape& shape) {
  return shape.messages && (shape.max_tokens || request.headers.find("anthropic-version").has_value());
}

constexpr std::array kDialects = std::to_array<DialectRow>({
    {Dialect::openai_chat_completions, "openai.chat_completions", ai::make_openai_chat_decoder, is_chat_completions,
     has_chat_shape},
    {Dialect::anthropic_messages, "anthropic.messages", ai::make_anthropic_messages_decoder, is_messages,
     has_messages_shape},
});

Shape shape_of(JsonReader& reader, JsonObject& body) {
  Shape shape{.readable = true};
  reader.each_field(body, [&](std::string_view key, JsonValue) {
    shape.messages = shape.messages || key == "messages";
    shape.max_tokens = shape.max_tokens || key == "max_tokens";
  });
  return shape;
}

bool is_event_stream(const HttpResponse& response) {
  constexpr std::string_view kType = "text/event-stream";
  const std::string_view type = response.content_type();
  return std::equal(type.begin(), type.end(), kType.begin(), kType.end(),
                    [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a | 0x20 : a) == b; });
}

// A server that forgot to name its type.
bool looks_like_event_stream(std::string_view body) {
  constexpr std::array kBegins = std::to_array<std::string_view>({"data:", "event:", ": "});
  return std::any_of(kBegins.begin(), kBegins.end(), [&](std::string_view one) { return body.starts_with(one); });
}

std::int64_t milliseconds(std::uint64_t from_ns, std::uint64_t to_ns) {
  constexpr std::uint64_t kNanoseconds = 1'000'000;
  return from_ns == 0 || to_ns < from_ns ? -1 : static_cast<std::int64_t>((to_ns - from_ns) / kNanoseconds);
}

class DecodedExchange final : public AiExchange, private SseListener {
 public:
  DecodedExchange(const DialectRow& row, AiDetection detection, std::string_view provider, const Exchange& exchange)
      : row_(row),
        detection_(detection),
        provider_(provider),
        endpoint_(
            ai::mend_utf8("https://" + std::string(exchange.request.host()) + std::string(exchange.request.path()))),
        decoder_(row.make()),
        request_missing_(exchange.request.missing),
        sse_(*this, ai::kMostSseEvent) {}

  void read_request(JsonReader& reader, std::optional<JsonObject> body) {
    if (body.has_value()) {
      decoder_->read_request(reader, *body, request_);
    }
    request_missing_.add(reader.missing());
  }

  void on_response_head(const Exchange& exchange) override {
    streaming_ = is_event_stream(exchange.response);
    has_response_ = true;
    status_ = exchange.response.status;
  }
  void on_response_body(const Exchange& exchange, std::string_view piece) override {
    if (streaming_) {
      now_ns_ = exchange.times.response_last_ns;
      sse_.on_bytes(piece);
    }
  }
  void on_response_gap(const Exchange&) override {
    if (streaming_) {
      sse_.on_gap();
    }
  }
  void on_finished(const Exchange& exchange) override;

  [[nodiscard]] Dialect dialect() const override { return row_.dialect; }
  [[nodiscard]] AiDetection detection() const override { return detection_; }
  [[nodiscard]] std::string_view provider() const override { return provider_; }
  [[nodiscard]] std::string_view endpoint() const override { return endpoint_; }
  [[nodiscard]] const ai::Request& request() const override { return request_; }
  [[nodiscard]] const ai::Response& response() const override { return response_; }
  [[nodiscard]] MissingSet request_missing() const override { return request_missing_; }
  [[nodiscard]] MissingSet response_missing() const override { return response_missing_; }
  void fill_request(schema::AiRequest::Builder builder) const override;
  void fill_response(schema::AiResponse::Builder builder) const override;

 private:
  void on_event(const SseEvent& event) override;
  void finish_stream(const Exchange& exchange);
  void finish_object(const Exchange& exchange);
  void read_failure(const HttpResponse& response);
  [[nodiscard]] schema::Tri success() const;
  template <typename Builder>
  void fill_provider(Builder builder) const;

  const DialectRow& row_;
  AiDetection detection_;
  std::string_view provider_;
  std::string endpoint_;
  std::unique_ptr<ai::DialectDecoder> decoder_;
  ai::Request request_;
  ai::Response response_;
  MissingSet request_missing_;
  MissingSet response_missing_;
  JsonReader answer_{ai::kMostText / 2};  // reads the answer, whose tool calls are kept twice
  SseParser sse_;
  ExchangeTimes times_;
  bool has_response_ = false;
  int status_ = 0;
  bool streaming_ = false;
  bool ended_ = false;  // the stream said that it is whole
  std::uint64_t now_ns_ = 0;
  std::uint64_t first_token_ns_ = 0;
  std::int64_t chunks_ = 0;
};

void DecodedExchange::on_event(const SseEvent& event) {
  ++chunks_;
  if (event.cut) {
    answer_.add_missing(Missing::body_too_large);
    return;
  }
  const ai::StreamStep step = decoder_->on_event(answer_, event.data);
  ended_ = ended_ || step.end;
  if (step.token && first_token_ns_ == 0) {
    first_token_ns_ = now_ns_;
  }
}

void DecodedExchange::on_finished(const Exchange& exchange) {
  times_ = exchange.times;
  response_missing_ = exchange.response.missing;
  if (!has_response_) {
    return;
  }
  const HttpResponse& response = exchange.response;
  if (!streaming_ && request_.streaming.value_or(false) && looks_like_event_stream(response.body.bytes)) {
    streaming_ = true;
    sse_.on_bytes(response.body.bytes);
  }
  if (streaming_) {
    finish_stream(exchange);
  } else if (status_ / 100 == 2) {
    finish_object(exchange);
  } else {
    read_failure(response);
  }
  response_missing_.add(answer_.missing());
}

void DecodedExchange::finish_stream(const Exchange& exchange) {
  const bool stopped = decoder_->end_stream(answer_, response_);
  const bool whole = ended_ || (exchange.response.whole && (stopped || response_.error.has_value()));
  if (whole) {
    // The client need not read on to the end of the HTTP message.
    response_missing_.remove(Missing::stream_ended);
  } else if (response_missing_.empty()) {
    response_missing_.add(Missing::stream_ended);
  }
  if (exchange.response.body.decoded_bytes >= 0) {
    response_missing_.remove(Missing::body_too_large);  // all pieces were read, though not all are kept
  }
}

void DecodedExchange::finish_object(const Exchange& exchange) {
  const HttpResponse& response = exchange.response;
  if (response_missing_.has(Missing::encoding_not_decoded) ||
      (response.body.bytes.empty() && !response_missing_.empty())) {
    return;
  }
  if (auto body = answer_.open(response.body.bytes, response_missing_); body.has_value()) {
    decoder_->read_response(answer_, *body, response_);
  }
}

// An answer of a status that says failure: an error in one of its known forms, or text of a proxy.
void DecodedExchange::read_failure(const HttpResponse& response) {
  const std::string& bytes = response.body.bytes;
  if (bytes.empty() || response_missing_.has(Missing::encoding_not_decoded)) {
    return;
  }
  JsonReader reader;
  ai::Error plain;
  if (auto body = reader.open(bytes, response_missing_); body.has_value()) {
    reader.each_field(*body, [&](std::string_view key, JsonValue field) {
      if (key == "error") {
        ai::read_error(reader, field, response_.error);
      } else if (key == "message" || (key == "detail" && plain.message.empty())) {
        (void)reader.read_text(field, plain.message);
      } else if (key == "code") {
        reader.read_raw(field, plain.code_json);
      } else if (key == "request_id") {
        (void)reader.read_text(field, response_.id);
      }
    });
  }
  if (!response_.error.has_value()) {
    if (plain.message.empty()) {
      plain.message = ai::mend_utf8(std::string_view(bytes).substr(0, ai::kMostErrorText));
      if (bytes.size() > ai::kMostErrorText) {
        response_missing_.add(Missing::body_too_large);
      }
    }
    response_.error = std::move(plain);
  }
}

schema::Tri DecodedExchange::success() const {
  if (response_.error.has_value() || (has_response_ && status_ / 100 != 2)) {
    return schema::Tri::NO;
  }
  if (has_response_ && response_missing_.empty()) {
    return schema::Tri::YES;
  }
  // What was lost on the way to this program may well have reached the client.
  return response_missing_.has(Missing::stream_ended) ? schema::Tri::NO : schema::Tri::UNSET;
}

template <typename Builder>
void DecodedExchange::fill_provider(Builder builder) const {
  auto provider = builder.initProvider();
  provider.setName(std::string(provider_));
  provider.setEndpoint(endpoint_);
}

void DecodedExchange::fill_request(schema::AiRequest::Builder builder) const {
  fill_provider(builder);
  builder.setRequestType("chat");
  builder.setDialect(std::string(row_.word));
  ai::fill(request_, builder);
}

void DecodedExchange::fill_response(schema::AiResponse::Builder builder) const {
  fill_provider(builder);
  ai::fill(response_, builder);
  builder.setSuccess(success());
  builder.setLatencyMs(milliseconds(times_.request_first_ns, times_.response_last_ns));
  if (!has_response_) {
    return;
  }
  builder.setStatusCode(status_);
  builder.setStreaming(streaming_ ? schema::Tri::YES : schema::Tri::NO);
  if (!response_.finish_reason.empty()) {
    builder.setFinishReason(std::string(decoder_->finish_word(response_.finish_reason)));
  }
  if (streaming_) {
    builder.setChunkCount(chunks_);
    builder.setTimeToFirstTokenMs(milliseconds(times_.request_first_ns, first_token_ns_));
  }
}

}  // namespace

std::string_view detection_word(AiDetection detection) {
  switch (detection) {
    case AiDetection::known_endpoint:
      return "known_endpoint";
    case AiDetection::payload_inspection:
      return "payload_inspection";
  }
  OISP_BUG_IF(true);
}

std::unique_ptr<AiExchange> recognise_ai(const Exchange& exchange) {
  const HttpRequest& request = exchange.request;
  if (!request.has_head || request.method != "POST") {
    return nullptr;
  }
  const auto* const row =
      std::find_if(kDialects.begin(), kDialects.end(), [&](const DialectRow& one) { return one.path(request); });
  if (row == kDialects.end()) {
    return nullptr;
  }
  const bool decoded = !request.missing.has(Missing::encoding_not_decoded);
  JsonReader reader;
  std::optional<JsonObject> body;
  Shape shape;
  if (decoded && !request.body.bytes.empty()) {
    body = reader.open(request.body.bytes, request.missing);
    if (body.has_value()) {
      shape = shape_of(reader, *body);
      body = reader.open_again();
    }
  }
  const std::string_view provider = find_provider(request.host());
  // Of a body that is not there whole, the path has to do.
  const bool known = !provider.empty();
  if (!known && !row->shape(request, shape) && request.missing.empty()) {
    return nullptr;
  }
  auto made =
      std::make_unique<DecodedExchange>(*row, known ? AiDetection::known_endpoint : AiDetection::payload_inspection,
                                        known ? provider : "unknown", exchange);
  made->read_request(reader, body);
  return made;
}

}  // namespace oisp
