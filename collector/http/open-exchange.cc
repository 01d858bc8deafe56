#include "collector/http/open-exchange.h"

#include <utility>

namespace oisp {

OpenExchange::OpenExchange(std::uint32_t number, HttpRole role, ExchangeListener& listener, const HttpLimits& limits,
                           std::size_t& kept_bytes)
    : listener_(listener),
      request_body_(exchange_.request, limits, kept_bytes),
      response_body_(exchange_.response, limits, kept_bytes) {
  exchange_.number = number;
  exchange_.role = role;
}

void OpenExchange::begin_request(MessageHead&& head, std::uint64_t first_ns, std::uint64_t now_ns) {
  HttpRequest& request = exchange_.request;
  request.has_head = true;
  request.method = std::move(head.method);
  request.target = std::move(head.target);
  request.version = std::move(head.version);
  request.headers = std::move(head.headers);
  exchange_.times.request_first_ns = first_ns;
  exchange_.times.request_last_ns = now_ns;
  request_body_.begin();
}

void OpenExchange::add_to_request(std::string_view piece, std::uint64_t now_ns) {
  exchange_.times.request_last_ns = now_ns;
  request_body_.add(piece, [](std::string_view) {});
}

void OpenExchange::end_request(std::uint64_t now_ns) {
  exchange_.times.request_last_ns = now_ns;
  exchange_.request.whole = true;
  exchange_.request.missing.remove(Missing::answered_early);
  request_body_.end();
  request_over_ = true;
  tell_request();
}

void OpenExchange::break_request(Missing cause) {
  exchange_.request.missing.add(cause);
  request_body_.end();
  request_over_ = true;
  tell_request();
}

void OpenExchange::miss_request(std::uint64_t first_ns) {
  exchange_.times.request_first_ns = first_ns;
  request_over_ = true;
}

void OpenExchange::begin_response(MessageHead&& head, std::uint64_t first_ns, std::uint64_t now_ns) {
  HttpResponse& response = exchange_.response;
  response.missing = {};
  response.has_head = true;
  response.status = head.status;
  response.version = std::move(head.version);
  response.headers = std::move(head.headers);
  exchange_.times.response_first_ns = first_ns;
  exchange_.times.response_last_ns = now_ns;
  response_body_.begin();
  if (!request_over_) exchange_.request.missing.add(Missing::answered_early);
  tell_request();
  listener_.on_response_head(exchange_);
}

void OpenExchange::add_to_response(std::string_view piece, std::uint64_t now_ns) {
  ExchangeTimes& times = exchange_.times;
  times.response_last_ns = now_ns;
  if (times.response_body_ns == 0) times.response_body_ns = now_ns;
  response_body_.add(piece, [this](std::string_view decoded) { listener_.on_response_body(exchange_, decoded); });
}

void OpenExchange::skip_in_response(std::uint64_t bytes, Missing cause) {
  response_body_.skip(bytes, cause);
  listener_.on_response_gap(exchange_);
}

void OpenExchange::end_response(std::uint64_t now_ns) {
  exchange_.times.response_last_ns = now_ns;
  exchange_.response.whole = true;
  response_body_.end();
  response_over_ = true;
}

void OpenExchange::break_response(Missing cause) {
  exchange_.response.missing.add(cause);
  response_over_ = true;
}

void OpenExchange::tell_request() {
  if (exchange_.request.has_head && !std::exchange(request_told_, true)) listener_.on_request(exchange_);
}

void OpenExchange::finish() {
  if (!request_over_ && exchange_.request.missing.empty()) exchange_.request.missing.add(Missing::stream_ended);
  if (!exchange_.response.whole && exchange_.response.missing.empty()) {
    exchange_.response.missing.add(Missing::stream_ended);
  }
  tell_request();
  listener_.on_finished(exchange_);
}

}  // namespace oisp
