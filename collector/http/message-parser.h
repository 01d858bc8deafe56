// The HTTP/1 messages of one direction of a stream, by llhttp; carries on over gaps where that is safe.
#pragma once

#include <llhttp.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "collector/http/exchange.h"
#include "collector/http/limits.h"
#include "collector/http/open-exchange.h"
#include "collector/http/start-line.h"

namespace oisp {

enum class MessageKind : std::uint8_t { request, response };

enum class BodyRule : std::uint8_t {
  as_framed,
  none,     // whatever the headers say (HEAD, 204, 304)
  upgrade,  // none, and what follows is another protocol
};

class MessageSink {
 public:
  virtual ~MessageSink() = default;
  virtual BodyRule on_head(MessageKind kind, MessageHead&& head) = 0;
  virtual void on_body(MessageKind kind, std::string_view piece) = 0;
  // Bytes of the body are missing, and the message goes on behind them.
  virtual void on_body_gap(MessageKind kind, std::uint64_t bytes, Missing cause) = 0;
  virtual void on_whole(MessageKind kind) = 0;
  // A message that had begun will not be told of any further.
  virtual void on_broken(MessageKind kind, Missing cause) = 0;
};

class MessageParser {
 public:
  // Both references outlive the parser. Where `hunting`, the first bytes may lie inside a message.
  MessageParser(MessageKind kind, MessageSink& sink, const HttpLimits& limits, bool hunting);
  MessageParser(const MessageParser&) = delete;
  MessageParser& operator=(const MessageParser&) = delete;

  // `first_ns` is when the first of the bytes came, `now_ns` when the last did. `call_begins`: they are
  // the first of a TLS call.
  void feed(std::string_view bytes, std::uint64_t first_ns, std::uint64_t now_ns, bool call_begins);
  void skip(std::uint64_t bytes, Missing cause);
  // `orderly`: the end of the stream is the end of a body without a length.
  void end(bool orderly);

  // Looks for the beginning of a message after a gap or an error.
  [[nodiscard]] bool hunting() const { return phase_ == Phase::hunting; }
  [[nodiscard]] std::uint64_t message_first_ns() const { return message_first_ns_; }
  [[nodiscard]] std::uint64_t now_ns() const { return now_ns_; }
  [[nodiscard]] std::size_t held_bytes() const { return scanner_.size() + head_bytes_; }

 private:
  enum class Phase : std::uint8_t { hunting, between, head, body };
  enum class Framing : std::uint8_t { none, length, chunked, until_end };

  void start_over(Phase phase);
  void hunt(std::string_view bytes, bool call_begins);
  void execute(std::string_view bytes);
  void skip_framed(std::uint64_t bytes);
  void break_off(Missing cause);

  // llhttp's callbacks: 0 to go on, -1 to stop.
  int on_begin();
  int on_text(std::string& text, std::string_view bytes);
  int on_header_name(std::string_view bytes);
  int on_header_value(std::string_view bytes);
  int on_header_name_end();
  int on_head_end();
  int on_body(std::string_view bytes);
  int on_chunk_head();
  int on_end();
  [[nodiscard]] int count_head(std::size_t bytes);
  void end_header();

  struct Callbacks;

  const MessageKind kind_;
  MessageSink& sink_;
  const HttpLimits& limits_;
  llhttp_t parser_ = {};
  Phase phase_;
  Framing framing_ = Framing::none;
  std::uint64_t left_bytes_ = 0;  // of the body, or of the chunk that is open
  MessageHead head_;
  std::string name_;   // of the header that is being read
  std::string value_;  // likewise
  bool value_began_ = false;
  std::size_t head_bytes_ = 0;
  StartLineScanner scanner_;
  std::uint64_t feed_first_ns_ = 0;
  std::uint64_t message_first_ns_ = 0;
  std::uint64_t now_ns_ = 0;
  bool in_gap_ = false;  // what is fed stands for bytes that are missing
  Missing gap_cause_ = Missing::lost;
};

}  // namespace oisp
