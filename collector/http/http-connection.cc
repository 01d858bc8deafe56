#include "collector/http/http-connection.h"

#include <array>
#include <deque>
#include <optional>
#include <utility>

#include "base/bug.h"
#include "collector/http/http2-connection.h"
#include "collector/http/message-parser.h"
#include "collector/http/start-line.h"

namespace oisp {
namespace {

constexpr std::size_t index_of(Direction direction) { return static_cast<std::size_t>(direction); }
constexpr Direction other(Direction direction) {
  return direction == Direction::read ? Direction::write : Direction::read;
}

std::uint64_t moment(Direction direction, CallTimes times) {
  return direction == Direction::write ? times.entry_ns : times.return_ns;
}

}  // namespace

std::string_view protocol_word(Protocol protocol) {
  switch (protocol) {
    case Protocol::undecided:
      return "undecided";
    case Protocol::http1:
      return "http1";
    case Protocol::http2:
      return "http2";
    case Protocol::upgraded:
      return "upgraded";
    case Protocol::not_http:
      return "not_http";
  }
  OISP_BUG_IF(true);
}

class HttpConnection::State final : public MessageSink {
 public:
  State(ExchangeListener& listener, const HttpLimits& limits) : listener_(listener), limits_(limits) {}

  void on_bytes(Direction direction, std::string_view bytes, CallTimes times);
  void on_gap(Direction direction, std::uint64_t bytes, Missing cause);
  void on_end(EndCause cause);
  [[nodiscard]] Protocol protocol() const { return protocol_; }
  [[nodiscard]] std::uint32_t exchanges() const { return exchanges_; }
  [[nodiscard]] std::size_t held_bytes() const;

 private:
  // What is known of one direction.
  struct Side {
    explicit Side(std::size_t most_bytes) : start(most_bytes) {}
    StartLineScanner start;      // while the protocol is undecided
    bool joined_inside = false;  // bytes are missing before those seen
    std::optional<Missing> gap;  // why, and not yet told of any exchange
    CallTimes last_call;
    bool called = false;
  };

  // MessageSink
  BodyRule on_head(MessageKind kind, MessageHead&& head) override;
  void on_body(MessageKind kind, std::string_view piece) override;
  void on_body_gap(MessageKind kind, std::uint64_t bytes, Missing cause) override;
  void on_whole(MessageKind kind) override;
  void on_broken(MessageKind kind, Missing cause) override;

  BodyRule on_request_head(MessageHead&& head);
  BodyRule on_response_head(MessageHead&& head);
  void decide(Direction direction, std::string_view bytes, std::uint64_t now_ns, bool call_begins);
  void set_protocol(Protocol protocol);
  void start_parsers(Direction request_direction);
  void start_http2(Direction direction, std::string_view bytes, std::uint64_t now_ns, bool call_begins);
  void leave_http();
  Side& side(Direction direction) { return sides_[index_of(direction)]; }
  Side& side(MessageKind kind);
  OpenExchange& open_exchange();
  OpenExchange& answered_exchange();
  void finish_front();
  void finish_ready();
  void start_over();

  ExchangeListener& listener_;
  const HttpLimits limits_;
  Protocol protocol_ = Protocol::undecided;
  bool ended_ = false;
  std::array<Side, 2> sides_ = {Side(limits_.max_head), Side(limits_.max_head)};
  Direction request_direction_ = Direction::write;
  std::optional<MessageParser> requests_;
  std::optional<MessageParser> responses_;
  std::optional<Http2Connection> http2_;
  std::uint32_t exchanges_ = 0;
  std::size_t kept_bytes_ = 0;
  // Oldest first; the last one's request and one of the first ones' response are being read.
  std::deque<std::unique_ptr<OpenExchange>> open_;
  OpenExchange* sending_ = nullptr;    // whose request is being read
  OpenExchange* answering_ = nullptr;  // whose response is being read
  bool interim_ = false;               // the response that is being read is a 1xx one
  bool upgrading_ = false;             // what follows the response that is being read is another protocol
  bool pipelines_ = false;             // this client was seen to send requests ahead
  bool resynced_ = false;              // the next response follows a gap
};

HttpConnection::State::Side& HttpConnection::State::side(MessageKind kind) {
  return side(kind == MessageKind::request ? request_direction_ : other(request_direction_));
}

std::size_t HttpConnection::State::held_bytes() const {
  if (http2_) return http2_->held_bytes();
  std::size_t bytes = kept_bytes_ + open_.size() * sizeof(OpenExchange);
  for (const Side& one : sides_) {
    bytes += one.start.size();
  }
  bytes += requests_ ? requests_->held_bytes() : 0;
  return bytes + (responses_ ? responses_->held_bytes() : 0);
}

void HttpConnection::State::set_protocol(Protocol protocol) {
  protocol_ = protocol;
  listener_.on_protocol(protocol);
}

void HttpConnection::State::start_over() {
  sides_ = {Side(limits_.max_head), Side(limits_.max_head)};
  requests_.reset();
  responses_.reset();
  http2_.reset();
  protocol_ = Protocol::undecided;
  ended_ = false;
  interim_ = upgrading_ = pipelines_ = resynced_ = false;
}

void HttpConnection::State::on_bytes(Direction direction, std::string_view bytes, CallTimes times) {
  if (ended_) {
    start_over();
  }
  Side& from = side(direction);
  const bool call_begins = !from.called || !from.last_call.is_same_call(times);
  from.called = true;
  from.last_call = times;
  const std::uint64_t now_ns = moment(direction, times);
  if (protocol_ == Protocol::undecided) {
    decide(direction, bytes, now_ns, call_begins);
  } else if (http2_) {
    http2_->on_bytes(direction, bytes, now_ns, call_begins);
  } else if (protocol_ == Protocol::http1) {
    (direction == request_direction_ ? requests_ : responses_)->feed(bytes, now_ns, now_ns, call_begins);
    leave_http();
  }
}

void HttpConnection::State::decide(Direction direction, std::string_view bytes, std::uint64_t now_ns,
                                   bool call_begins) {
  Side& from = side(direction);
  const bool had_candidate = !from.start.empty();
  if (from.joined_inside && !had_candidate && !call_begins) {
    return;
  }
  if (from.joined_inside && call_begins && looks_like_http2_frames(bytes)) {
    return start_http2(direction, bytes, now_ns, call_begins);
  }
  StartLine found = from.start.add(bytes, now_ns);
  if (found == StartLine::none && from.joined_inside && had_candidate && call_begins) {
    from.start.clear();
    found = from.start.add(bytes, now_ns);
  }
  switch (found) {
    case StartLine::unknown:
      return;
    case StartLine::none:
      from.start.clear();
      if (!from.joined_inside) {
        set_protocol(Protocol::not_http);
      }
      return;
    case StartLine::http2: {
      const std::string taken = from.start.take();
      return start_http2(direction, taken, now_ns, true);
    }
    case StartLine::request:
    case StartLine::response:
      break;
  }
  start_parsers(found == StartLine::request ? direction : other(direction));
  // The direction that showed what it is comes first: what the other one holds answers it, or is a
  // beginning too short to be known.
  for (const Direction next : {direction, other(direction)}) {
    Side& held = side(next);
    const std::uint64_t first_ns = held.start.first_ns();
    const std::string taken = held.start.take();
    if (!taken.empty() && protocol_ == Protocol::http1) {
      (next == request_direction_ ? requests_ : responses_)->feed(taken, first_ns, now_ns, true);
      leave_http();
    }
  }
}

void HttpConnection::State::start_http2(Direction direction, std::string_view bytes, std::uint64_t now_ns,
                                        bool call_begins) {
  http2_.emplace(listener_, limits_, exchanges_, std::array{sides_[0].joined_inside, sides_[1].joined_inside});
  set_protocol(Protocol::http2);
  http2_->on_bytes(direction, bytes, now_ns, call_begins);
  // The other side may have begun with bytes too few to be known.
  const std::string taken = side(other(direction)).start.take();
  if (!taken.empty()) http2_->on_bytes(other(direction), taken, now_ns, true);
}

void HttpConnection::State::start_parsers(Direction request_direction) {
  request_direction_ = request_direction;
  requests_.emplace(MessageKind::request, *this, limits_, side(request_direction).joined_inside);
  responses_.emplace(MessageKind::response, *this, limits_, side(other(request_direction)).joined_inside);
  set_protocol(Protocol::http1);
}

void HttpConnection::State::on_gap(Direction direction, std::uint64_t bytes, Missing cause) {
  if (ended_) {
    start_over();
  }
  Side& from = side(direction);
  if (protocol_ == Protocol::undecided) {
    from.joined_inside = true;
    from.gap = cause;
    from.start.clear();
    return;
  }
  if (http2_) return http2_->on_gap(direction, bytes, cause);
  if (protocol_ != Protocol::http1) {
    return;
  }
  MessageParser& parser = direction == request_direction_ ? *requests_ : *responses_;
  parser.skip(bytes, cause);
  if (!parser.hunting()) {
    return;
  }
  from.gap = cause;
  if (direction != request_direction_) {
    resynced_ = true;
    // Whoever waits for an answer has lost at least a part of it, unless one is found after all.
    for (const auto& open : open_) {
      if (!open->exchange().response.has_head) {
        open->response_missing().add(cause);
      }
    }
  }
}

void HttpConnection::State::on_end(EndCause cause) {
  if (ended_) {
    return;
  }
  const bool orderly = cause == EndCause::closed || cause == EndCause::session_freed;
  if (protocol_ == Protocol::http1) {
    requests_->end(orderly);
    responses_->end(orderly);
    leave_http();
  }
  if (http2_) http2_->end();
  while (!open_.empty()) {
    finish_front();
  }
  ended_ = true;
}

// After an answer that changes the protocol: what was open is over.
void HttpConnection::State::leave_http() {
  if (!upgrading_ || answering_ != nullptr) {
    return;
  }
  upgrading_ = false;
  while (!open_.empty()) {
    finish_front();
  }
  set_protocol(Protocol::upgraded);
}

OpenExchange& HttpConnection::State::open_exchange() {
  if (open_.size() >= limits_.max_open) {
    open_.front()->response_missing().add(Missing::over_limit);
    finish_front();
  }
  const HttpRole role = request_direction_ == Direction::write ? HttpRole::client : HttpRole::server;
  open_.push_back(std::make_unique<OpenExchange>(++exchanges_, role, listener_, limits_, kept_bytes_));
  return *open_.back();
}

BodyRule HttpConnection::State::on_head(MessageKind kind, MessageHead&& head) {
  return kind == MessageKind::request ? on_request_head(std::move(head)) : on_response_head(std::move(head));
}

BodyRule HttpConnection::State::on_request_head(MessageHead&& head) {
  side(MessageKind::request).gap.reset();
  sending_ = &open_exchange();
  sending_->begin_request(std::move(head), requests_->message_first_ns(), requests_->now_ns());
  return BodyRule::as_framed;
}

// The exchange that a response now beginning belongs to.
OpenExchange& HttpConnection::State::answered_exchange() {
  while (!open_.empty() && open_.front()->response_over()) {
    // Answered before its request was whole, and the client has gone on to other things.
    finish_front();
  }
  if (resynced_ && side(MessageKind::response).last_call.other_is_behind) {
    // A request was lost as well: it may be the one that is answered.
    while (!open_.empty()) {
      finish_front();
    }
  } else if (resynced_ && !pipelines_) {
    // Answers were lost. A client that sends one request at a time is answered the latest one.
    while (open_.size() > 1) {
      finish_front();
    }
  }
  resynced_ = false;
  if (!open_.empty()) {
    return *open_.front();
  }
  OpenExchange& open = open_exchange();
  open.miss_request(0);
  if (const auto& gap = side(MessageKind::request).gap; gap.has_value()) {
    open.request_missing().add(*gap);
  } else if (side(MessageKind::response).last_call.other_is_behind) {
    open.request_missing().add(Missing::lost);
  }
  return open;
}

BodyRule HttpConnection::State::on_response_head(MessageHead&& head) {
  interim_ = head.status / 100 == 1 && head.status != 101;
  if (interim_) {
    return BodyRule::none;
  }
  side(MessageKind::response).gap.reset();
  OpenExchange& open = answered_exchange();
  answering_ = &open;
  const int status = head.status;
  pipelines_ = pipelines_ || (open_.size() > 1 && open_[1]->request_over());
  open.begin_response(std::move(head), responses_->message_first_ns(), responses_->now_ns());
  const std::string_view method = open.exchange().request.method;
  upgrading_ = status == 101 || (method == "CONNECT" && status / 100 == 2);
  if (upgrading_) {
    return BodyRule::upgrade;
  }
  const bool bodiless = method == "HEAD" || status == 204 || status == 304;
  return bodiless ? BodyRule::none : BodyRule::as_framed;
}

void HttpConnection::State::on_body(MessageKind kind, std::string_view piece) {
  if (kind == MessageKind::request) {
    if (sending_ != nullptr) sending_->add_to_request(piece, requests_->now_ns());
  } else if (answering_ != nullptr) {
    answering_->add_to_response(piece, responses_->now_ns());
  }
}

void HttpConnection::State::on_body_gap(MessageKind kind, std::uint64_t bytes, Missing cause) {
  if (kind == MessageKind::request) {
    if (sending_ != nullptr) sending_->skip_in_request(bytes, cause);
  } else if (answering_ != nullptr) {
    answering_->skip_in_response(bytes, cause);
  }
}

void HttpConnection::State::on_whole(MessageKind kind) {
  if (kind == MessageKind::request) {
    if (OpenExchange* const open = std::exchange(sending_, nullptr)) open->end_request(requests_->now_ns());
  } else if (!std::exchange(interim_, false)) {
    if (OpenExchange* const open = std::exchange(answering_, nullptr)) open->end_response(responses_->now_ns());
  }
  finish_ready();
}

void HttpConnection::State::on_broken(MessageKind kind, Missing cause) {
  if (kind == MessageKind::request) {
    OpenExchange* open = std::exchange(sending_, nullptr);
    if (open == nullptr) {
      open = &open_exchange();  // its head is what broke off
      open->miss_request(requests_->message_first_ns());
    }
    open->break_request(cause);
  } else if (!std::exchange(interim_, false)) {
    OpenExchange* open = std::exchange(answering_, nullptr);
    if (open == nullptr && !open_.empty()) open = open_.front().get();
    if (open != nullptr) open->break_response(cause);
  }
  finish_ready();
}

void HttpConnection::State::finish_front() {
  const std::unique_ptr<OpenExchange> open = std::move(open_.front());
  open_.pop_front();
  sending_ = sending_ == open.get() ? nullptr : sending_;
  answering_ = answering_ == open.get() ? nullptr : answering_;
  open->finish();
}

void HttpConnection::State::finish_ready() {
  while (!open_.empty() && open_.front()->response_over() && open_.front()->request_over()) {
    finish_front();
  }
}

HttpConnection::HttpConnection(ExchangeListener& listener, const HttpLimits& limits)
    : state_(std::make_unique<State>(listener, limits)) {}
HttpConnection::~HttpConnection() = default;

void HttpConnection::on_bytes(Direction direction, std::string_view bytes, CallTimes times) {
  if (!bytes.empty()) {
    state_->on_bytes(direction, bytes, times);
  }
}
void HttpConnection::on_gap(Direction direction, std::uint64_t bytes, Missing cause) {
  state_->on_gap(direction, bytes, cause);
}
void HttpConnection::on_end(EndCause cause) { state_->on_end(cause); }
Protocol HttpConnection::protocol() const { return state_->protocol(); }
std::uint32_t HttpConnection::exchanges() const { return state_->exchanges(); }
std::size_t HttpConnection::held_bytes() const { return state_->held_bytes(); }

}  // namespace oisp
