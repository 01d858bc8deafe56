// One HTTP request and its answer, as seen on a TLS stream.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "collector/http/missing.h"

namespace oisp {

// Which side of the exchange the watched process is.
enum class HttpRole : std::uint8_t { client, server };

struct HttpHeader {
  std::string name;  // as sent
  std::string value;
};

class HttpHeaders {
 public:
  // The first header of that name, in any case.
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const;
  [[nodiscard]] const std::vector<HttpHeader>& all() const { return all_; }
  void add(std::string name, std::string value) {
    all_.push_back(HttpHeader{.name = std::move(name), .value = std::move(value)});
  }

 private:
  std::vector<HttpHeader> all_;
};

struct HttpBody {
  // Decoded, from the first byte up to the first one that is missing or beyond what is kept. Where the
  // coding is not decoded (see `missing` of the message), as sent.
  std::string bytes;
  std::uint64_t wire_bytes = 0;     // after transfer coding, before decompression; lost bytes of known number included
  std::int64_t decoded_bytes = -1;  // after decompression; -1 where that is not known
  std::string encoding;             // Content-Encoding as sent; empty: none
};

struct HttpMessage {
  bool has_head = false;  // the head was read whole
  bool whole = false;     // the last byte of the message was seen
  std::string version;    // "1.1"
  HttpHeaders headers;
  HttpBody body;
  MissingSet missing;
};

struct HttpRequest : HttpMessage {
  std::string method;
  std::string target;  // as sent: origin, absolute, authority or asterisk form

  // The authority: of an absolute target, else the Host header; as sent, maybe with a port, maybe empty.
  [[nodiscard]] std::string_view host() const;
  // The target without scheme and authority, with the query.
  [[nodiscard]] std::string_view path_and_query() const;
  [[nodiscard]] std::string_view path() const;
};

struct HttpResponse : HttpMessage {
  int status = 0;
  [[nodiscard]] std::string_view content_type() const;  // without parameters, as sent
};

// CLOCK_BOOTTIME; 0: not seen. A byte that the process writes counts from its call's entry, one that
// it reads from its call's return.
struct ExchangeTimes {
  std::uint64_t request_first_ns = 0;
  std::uint64_t request_last_ns = 0;
  std::uint64_t response_first_ns = 0;  // of the final response, not of 1xx ones
  std::uint64_t response_body_ns = 0;   // first byte of the body
  std::uint64_t response_last_ns = 0;   // latest byte so far
};

struct Exchange {
  std::uint32_t number = 0;  // on its stream, from 1
  HttpRole role = HttpRole::client;
  // !request.has_head: the request was not seen (joined late, lost). Then on_request is not called.
  // !response.has_head: no final response was seen.
  HttpRequest request;
  HttpResponse response;
  ExchangeTimes times;
};

}  // namespace oisp
