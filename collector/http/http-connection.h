// The plaintext of one TLS stream, both directions, as HTTP exchanges.
//
// Bytes are a stranger's: nothing in them can make this object fail, grow beyond its limits or loop.
// What is missing is named in the exchange it belongs to.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "collector/http/exchange.h"
#include "collector/http/limits.h"

namespace oisp {

// As the process sees it.
enum class Direction : std::uint8_t { read, write };

// CLOCK_BOOTTIME of the TLS call that moved the bytes. Chunks of one call have the same times, and
// calls of one direction have different ones: after a gap a message is looked for only where a call begins.
struct CallTimes {
  std::uint64_t entry_ns = 0;
  std::uint64_t return_ns = 0;
  // More had been moved in the other direction by then than was seen of it.
  bool other_is_behind = false;
  [[nodiscard]] bool is_same_call(const CallTimes& other) const {
    return entry_ns == other.entry_ns && return_ns == other.return_ns;
  }
};

enum class EndCause : std::uint8_t {
  closed,         // the TLS connection was shut down
  session_freed,  // the program gave its session back
  process_ended,
  run_ended,  // the recording stops; the stream goes on
};

enum class Protocol : std::uint8_t {
  undecided,
  http1,
  http2,
  upgraded,  // was HTTP/1.1 (CONNECT, WebSocket); no longer decoded
  not_http,
};
std::string_view protocol_word(Protocol protocol);

// Told as it happens, from within on_bytes, on_gap and on_end. An exchange lives until its
// on_finished returns. Of each exchange, in this order: on_request (once, where the request's head
// was seen), on_response_head (once, where there is one), body pieces and gaps, on_finished (once, always).
// Of HTTP/1.1, exchanges finish in the order of their numbers.
class ExchangeListener {
 public:
  virtual ~ExchangeListener() = default;
  // The request is whole; or it will not become so; or its answer began before (request.missing says).
  virtual void on_request(const Exchange& exchange) = 0;
  virtual void on_response_head(const Exchange& exchange) = 0;
  // A decoded piece, also of what is beyond max_body; its time is times.response_last_ns.
  virtual void on_response_body(const Exchange& exchange, std::string_view piece) = 0;
  // Bytes of the body between the last piece and the next are missing.
  virtual void on_response_gap(const Exchange& exchange) = 0;
  virtual void on_finished(const Exchange& exchange) = 0;
  // The protocol was decided or changed.
  virtual void on_protocol(Protocol protocol) = 0;
};

class HttpConnection {
 public:
  // The listener outlives the connection.
  HttpConnection(ExchangeListener& listener, const HttpLimits& limits);
  ~HttpConnection();
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  void on_bytes(Direction direction, std::string_view bytes, CallTimes times);
  // `bytes` bytes of a direction are not there. 0: nobody knows how many. Of a stream that ran before
  // it was watched: on_gap(direction, 0, Missing::joined_late) for both directions, first of all.
  void on_gap(Direction direction, std::uint64_t bytes, Missing cause);
  // Finishes all that is open. Bytes that follow begin a new connection.
  void on_end(EndCause cause);

  [[nodiscard]] Protocol protocol() const;
  // Exchanges begun so far.
  [[nodiscard]] std::uint32_t exchanges() const;
  // Bytes held at the moment, for the collector's accounts.
  [[nodiscard]] std::size_t held_bytes() const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace oisp
