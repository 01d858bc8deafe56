// For tests: what a connection told, as text, and the ways to feed it.
#pragma once

#include <string>
#include <vector>

#include "collector/http/http-connection.h"

namespace oisp::test {

struct Turn {
  Direction direction = Direction::write;
  std::string bytes;
  std::uint64_t gap = 0;  // instead of bytes
  Missing cause = Missing::lost;
};
inline Turn sends(std::string bytes) { return {.direction = Direction::write, .bytes = std::move(bytes)}; }
inline Turn reads(std::string bytes) { return {.direction = Direction::read, .bytes = std::move(bytes)}; }
inline Turn loses(Direction direction, std::uint64_t bytes, Missing cause = Missing::lost) {
  return {.direction = direction, .gap = bytes, .cause = cause};
}

inline std::string words(MissingSet missing) {
  std::string text;
  missing.each_word([&](std::string_view word) { text.append(" !").append(word); });
  return text;
}

// One line for each thing told; body pieces that follow one another are one.
class Transcript : public ExchangeListener {
 public:
  void on_request(const Exchange& exchange) override {
    const HttpRequest& request = exchange.request;
    line(exchange, "> " + request.method + " " + request.target + " " + request.version + body(request));
  }
  void on_response_head(const Exchange& exchange) override {
    line(exchange, "< " + std::to_string(exchange.response.status));
  }
  void on_response_body(const Exchange& exchange, std::string_view piece) override {
    if (in_body_ == exchange.number) {
      text_.pop_back();
    } else {
      line(exchange, "+ ");
      text_.pop_back();
    }
    text_.append(piece.size() > 100 ? std::to_string(piece.size()) + " bytes," : std::string(piece)).push_back('\n');
    in_body_ = exchange.number;
  }
  void on_response_gap(const Exchange& exchange) override { line(exchange, "gap"); }
  void on_finished(const Exchange& exchange) override {
    line(exchange, ". " + std::string(exchange.role == HttpRole::client ? "client" : "server") +
                       (exchange.request.has_head ? body(exchange.request) : words(exchange.request.missing) + " -") +
                       " | " + body(exchange.response));
  }
  void on_protocol(Protocol protocol) override {
    text_.append(protocol_word(protocol)).append("\n");
    in_body_ = 0;
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  static std::string body(const HttpMessage& message) {
    std::string text = message.whole ? " whole" : " part";
    text += " " + std::to_string(message.body.wire_bytes) + "/" + std::to_string(message.body.decoded_bytes) + " [";
    text += message.body.bytes.size() > 100 ? std::to_string(message.body.bytes.size()) : message.body.bytes;
    return text + "]" + words(message.missing);
  }
  void line(const Exchange& exchange, const std::string& what) {
    text_.append("#").append(std::to_string(exchange.number)).append(" ").append(what).append("\n");
    in_body_ = 0;
  }

  std::string text_;
  std::uint32_t in_body_ = 0;
};

// Feeds turns in pieces: each turn is one TLS call, or (`own_calls`) each piece is one.
class Feeder {
 public:
  Feeder(HttpConnection& connection, bool own_calls) : connection_(connection), own_calls_(own_calls) {}

  void feed(Direction direction, std::string_view bytes) {
    clock_ += own_calls_ ? 10 : 0;
    connection_.on_bytes(direction, bytes, {.entry_ns = clock_, .return_ns = clock_ + 5});
  }
  void next_call() { clock_ += 10; }

 private:
  HttpConnection& connection_;
  bool own_calls_;
  std::uint64_t clock_ = 1000;
};

inline std::string transcript(const std::vector<Turn>& turns, std::size_t piece_bytes, bool own_calls,
                              std::size_t split_turn, std::size_t split_at, EndCause end = EndCause::closed,
                              const HttpLimits& limits = {}) {
  Transcript told;
  HttpConnection connection(told, limits);
  Feeder feeder(connection, own_calls);
  for (std::size_t i = 0; i < turns.size(); ++i) {
    const Turn& turn = turns[i];
    feeder.next_call();
    if (turn.bytes.empty()) {
      connection.on_gap(turn.direction, turn.gap, turn.cause);
      continue;
    }
    std::string_view rest = turn.bytes;
    if (i == split_turn) {
      feeder.feed(turn.direction, rest.substr(0, split_at));
      rest.remove_prefix(split_at);
    }
    while (!rest.empty()) {
      feeder.feed(turn.direction, rest.substr(0, piece_bytes));
      rest.remove_prefix(std::min(piece_bytes, rest.size()));
    }
  }
  connection.on_end(end);
  return told.text();
}

inline std::string transcript(const std::vector<Turn>& turns, EndCause end = EndCause::closed,
                              const HttpLimits& limits = {}) {
  return transcript(turns, std::string::npos, false, std::string::npos, 0, end, limits);
}

}  // namespace oisp::test
