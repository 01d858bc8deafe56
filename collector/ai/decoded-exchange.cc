#include "collector/ai/decoded-exchange.h"

#include <algorithm>
#include <array>

#include "collector/ai/fill.h"
#include "collector/ai/json-text.h"

namespace oisp::ai {
namespace {

// After an event of more, the memory that reading it took is given back.
constexpr std::size_t kUncommonEvent = std::size_t{64} << 10;

bool same_word(std::string_view a, std::string_view lower) {
  return std::equal(a.begin(), a.end(), lower.begin(), lower.end(),
                    [](char x, char y) { return (x >= 'A' && x <= 'Z' ? x | 0x20 : x) == y; });
}

// A server that forgot to name its type.
bool looks_like_event_stream(std::string_view body) {
  constexpr std::array kBegins = std::to_array<std::string_view>({"data:", "event:", ": "});
  return std::any_of(kBegins.begin(), kBegins.end(), [&](std::string_view one) { return body.starts_with(one); });
}
bool looks_like_lines(std::string_view body) {
  const std::size_t end = body.find('\n');
  return end != std::string_view::npos && body.find('{', end) != std::string_view::npos && is_json(body.substr(0, end));
}

std::int64_t milliseconds(std::uint64_t from_ns, std::uint64_t to_ns) {
  constexpr std::uint64_t kNanoseconds = 1'000'000;
  return from_ns == 0 || to_ns < from_ns ? -1 : static_cast<std::int64_t>((to_ns - from_ns) / kNanoseconds);
}

std::string endpoint_of(const HttpRequest& request, std::string_view scheme) {
  if (request.host().empty() && request.path().empty()) {
    return {};
  }
  return mend_utf8(std::string(scheme) + "://" + std::string(request.host()) + std::string(request.path()));
}

}  // namespace

DecodedExchange::DecodedExchange(const DialectRow& row, AiDetection detection, std::string_view provider,
                                 std::string_view scheme, const Exchange& exchange)
    : row_(row),
      detection_(detection),
      path_known_(!exchange.request.target.empty()),
      provider_(provider),
      endpoint_(endpoint_of(exchange.request, scheme)),
      decoder_(row.make()),
      request_missing_(exchange.request.missing),
      sse_(*this, kMostEvent),
      lines_(*this, kMostEvent) {}

void DecodedExchange::read_request(JsonReader& reader, std::optional<JsonObject> body) {
  if (body.has_value()) {
    decoder_->read_request(reader, *body, request_);
  }
  request_missing_.add(reader.missing());
  request_bytes_ = reader.kept_bytes();
}

// What the answer's events repeat stays.
void DecodedExchange::forget_request() {
  Request rest;
  rest.model = std::move(request_.model);
  rest.streaming = request_.streaming;
  rest.input_count = request_.input_count;
  rest.input_bytes = request_.input_bytes;
  request_ = std::move(rest);
  request_bytes_ = 0;
}

std::size_t DecodedExchange::held_bytes() const {
  return sizeof *this + request_bytes_ + answer_.kept_bytes() + sse_.held_bytes() + lines_.held_bytes();
}

DecodedExchange::Framing DecodedExchange::framing_of(const HttpResponse& response) {
  struct Type {
    std::string_view word;
    Framing framing;
  };
  constexpr std::array kTypes = std::to_array<Type>({{"text/event-stream", Framing::sse},
                                                     {"application/x-ndjson", Framing::lines},
                                                     {"application/ndjson", Framing::lines},
                                                     {"application/jsonl", Framing::lines},
                                                     {"application/stream+json", Framing::lines}});
  const auto* const found =
      std::ranges::find_if(kTypes, [&](const Type& type) { return same_word(response.content_type(), type.word); });
  return found == kTypes.end() ? Framing::object : found->framing;
}

void DecodedExchange::take_piece(std::string_view piece) {
  if (framing_ == Framing::sse) {
    sse_.on_bytes(piece);
  } else {
    lines_.on_bytes(piece);
  }
}

void DecodedExchange::on_response_head(const Exchange& exchange) {
  framing_ = framing_of(exchange.response);
  has_response_ = true;
  status_ = exchange.response.status;
}

void DecodedExchange::on_response_body(const Exchange& exchange, std::string_view piece) {
  if (framing_ != Framing::object) {
    now_ns_ = exchange.times.response_last_ns;
    take_piece(piece);
  }
}

void DecodedExchange::on_response_gap(const Exchange&) {
  if (framing_ == Framing::sse) {
    sse_.on_gap();
  } else {
    lines_.on_gap();
  }
}

void DecodedExchange::on_event(const SseEvent& event) {
  ++chunks_;
  if (event.cut) {
    answer_.add_missing(Missing::body_too_large);
    return;
  }
  const StreamStep step = decoder_->on_event(answer_, event.data);
  ended_ = ended_ || step.end;
  if (step.token && first_token_ns_ == 0) {
    first_token_ns_ = now_ns_;
  }
  if (event.data.size() > kUncommonEvent) {
    answer_.close();
  }
}

void DecodedExchange::on_finished(const Exchange& exchange) {
  times_ = exchange.times;
  response_missing_ = exchange.response.missing;
  if (!has_response_) {
    return;
  }
  const HttpResponse& response = exchange.response;
  if (framing_ == Framing::object && !failed()) {
    const std::string& bytes = response.body.bytes;
    framing_ = request_.streaming.value_or(false) && looks_like_event_stream(bytes) ? Framing::sse
               : request_.streaming.value_or(true) && looks_like_lines(bytes)       ? Framing::lines
                                                                                    : Framing::object;
    if (framing_ != Framing::object) {
      take_piece(bytes);
    }
  }
  if (framing_ != Framing::object) {
    finish_stream(exchange);
  } else if (!failed()) {
    finish_object(exchange);
  } else {
    read_failure(response);
  }
  response_missing_.add(answer_.missing());
}

void DecodedExchange::finish_stream(const Exchange& exchange) {
  if (framing_ == Framing::lines && exchange.response.whole) {
    lines_.on_end();
  }
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
  Error plain;
  if (auto body = reader.open(bytes, response_missing_); body.has_value()) {
    reader.each_field(*body, [&](std::string_view key, JsonValue field) {
      if (key == "error") {
        read_error(reader, field, response_.error);
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
      plain.message = mend_utf8(std::string_view(bytes).substr(0, kMostErrorText));
      if (bytes.size() > kMostErrorText) {
        response_missing_.add(Missing::body_too_large);
      }
    }
    response_.error = std::move(plain);
  }
}

schema::Tri DecodedExchange::success() const {
  if (response_.error.has_value() || failed()) {
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
  set_text(endpoint_, [&](auto text) { provider.setEndpoint(text); });
}

// What answers of every kind have.
template <typename Builder>
void DecodedExchange::fill_outcome(Builder builder) const {
  fill_provider(builder);
  builder.setSuccess(success());
  builder.setLatencyMs(milliseconds(times_.request_first_ns, times_.response_last_ns));
  if (status_ != 0) {
    builder.setStatusCode(status_);
  }
}

void DecodedExchange::fill_request(schema::AiRequest::Builder builder) const {
  fill_provider(builder);
  builder.setRequestType(std::string(row_.request_type));
  builder.setDialect(std::string(row_.word));
  fill(request_, builder);
}

void DecodedExchange::fill_response(schema::AiResponse::Builder builder) const {
  fill(response_, builder);
  fill_outcome(builder);
  if (!has_response_) {
    return;
  }
  const bool streaming = framing_ != Framing::object;
  builder.setStreaming(streaming ? schema::Tri::YES : schema::Tri::NO);
  if (!response_.finish_reason.empty()) {
    builder.setFinishReason(std::string(decoder_->finish_word(response_.finish_reason)));
  }
  if (streaming) {
    builder.setChunkCount(chunks_);
    builder.setTimeToFirstTokenMs(milliseconds(times_.request_first_ns, first_token_ns_));
  }
}

void DecodedExchange::fill_embedding(schema::AiEmbedding::Builder builder) const {
  fill(request_, response_, builder);
  fill_outcome(builder);
}

}  // namespace oisp::ai
