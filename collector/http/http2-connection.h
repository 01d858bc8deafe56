// An HTTP/2 connection (RFC 9113), both directions, as exchanges: by its streams, which may be open side by
// side. What was said before it was watched, or was lost, is named; nothing is guessed.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string_view>

#include "collector/http/hpack-reader.h"
#include "collector/http/http-connection.h"
#include "collector/http/http2-frames.h"
#include "collector/http/open-exchange.h"

namespace oisp {

class Http2Connection {
 public:
  // Listener, limits and the count of exchanges, which it carries on, outlive it. `joined_inside`, by
  // direction: the first bytes may lie inside a frame, and header blocks have gone before.
  Http2Connection(ExchangeListener& listener, const HttpLimits& limits, std::uint32_t& exchanges,
                  std::array<bool, 2> joined_inside);
  ~Http2Connection();
  Http2Connection(const Http2Connection&) = delete;
  Http2Connection& operator=(const Http2Connection&) = delete;

  // `call_begins`: the bytes are the first of a TLS call.
  void on_bytes(Direction direction, std::string_view bytes, std::uint64_t now_ns, bool call_begins);
  void on_gap(Direction direction, std::uint64_t bytes, Missing cause);
  void end();

  [[nodiscard]] std::size_t held_bytes() const;

 private:
  class Side;
  using Streams = std::map<std::uint32_t, std::unique_ptr<OpenExchange>>;

  void on_header_block(Side& side, std::uint32_t stream, std::string_view block, bool ends_stream, bool promised);
  void on_request_head(Side& side, std::uint32_t stream, MessageHead&& head, bool unknown);
  void on_response_head(Side& side, std::uint32_t stream, MessageHead&& head, bool unknown, bool ends_stream);
  void on_stream_end(Side& side, std::uint32_t stream);
  void on_frames_lost(Side& side, Missing cause);
  [[nodiscard]] bool is_request_side(const Side& side) const;
  [[nodiscard]] OpenExchange* find(std::uint32_t stream);
  OpenExchange& open(std::uint32_t stream);
  void finish(Streams::iterator at);
  void finish_if_over(std::uint32_t stream);

  ExchangeListener& listener_;
  const HttpLimits& limits_;
  std::uint32_t& exchanges_;
  std::array<std::unique_ptr<Side>, 2> sides_;
  std::optional<Direction> request_direction_;  // known from the first head on
  Streams open_;
  std::deque<std::uint32_t> finished_;  // the latest ones: frames may still follow
  std::size_t kept_bytes_ = 0;
};

}  // namespace oisp
