// An exchange that is not finished: what each version of HTTP does with it while its parts come in.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "collector/http/body-reader.h"
#include "collector/http/http-connection.h"

namespace oisp {

// Start line and headers of one message.
struct MessageHead {
  std::string method;  // of a request
  std::string target;  // of a request
  int status = 0;      // of a response
  std::string version;
  HttpHeaders headers;
};

class OpenExchange {
 public:
  // Listener, limits and the account of kept bytes outlive it.
  OpenExchange(std::uint32_t number, HttpRole role, ExchangeListener& listener, const HttpLimits& limits,
               std::size_t& kept_bytes);
  OpenExchange(const OpenExchange&) = delete;
  OpenExchange& operator=(const OpenExchange&) = delete;

  [[nodiscard]] const Exchange& exchange() const { return exchange_; }
  [[nodiscard]] MissingSet& request_missing() { return exchange_.request.missing; }
  [[nodiscard]] MissingSet& response_missing() { return exchange_.response.missing; }
  // Nothing more of it will come.
  [[nodiscard]] bool request_over() const { return request_over_; }
  [[nodiscard]] bool response_over() const { return response_over_; }

  // When the head's first byte came, and its last.
  void begin_request(MessageHead&& head, std::uint64_t first_ns, std::uint64_t now_ns);
  void add_to_request(std::string_view piece, std::uint64_t now_ns);
  void skip_in_request(std::uint64_t bytes, Missing cause) { request_body_.skip(bytes, cause); }
  void end_request(std::uint64_t now_ns);
  // It will not become whole.
  void break_request(Missing cause);
  // It was never seen; `first_ns`: when something of it came, or 0.
  void miss_request(std::uint64_t first_ns);

  void begin_response(MessageHead&& head, std::uint64_t first_ns, std::uint64_t now_ns);
  void add_to_response(std::string_view piece, std::uint64_t now_ns);
  void skip_in_response(std::uint64_t bytes, Missing cause);
  void end_response(std::uint64_t now_ns);
  void break_response(Missing cause);

  // The last thing that is done with it.
  void finish();

 private:
  void tell_request();

  Exchange exchange_;
  ExchangeListener& listener_;
  BodyReader request_body_;
  BodyReader response_body_;
  bool request_over_ = false;
  bool request_told_ = false;
  bool response_over_ = false;
};

}  // namespace oisp
