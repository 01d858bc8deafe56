#include "collector/http/http2-connection.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace oisp {
namespace {

constexpr std::size_t kRememberedStreams = 256;

// A receiver that knows the length need not wait for the frame that ends the stream.
bool has_all(const HttpMessage& message) {
  const auto text = message.headers.find("content-length");
  std::uint64_t length = 0;
  return text && std::from_chars(text->data(), text->data() + text->size(), length).ec == std::errc() &&
         length == message.body.wire_bytes;
}

bool is_interim(int status) { return status / 100 == 1 && status != 101; }

}  // namespace

// What is known of one direction.
class Http2Connection::Side final : public Http2FrameSink {
 public:
  Side(Http2Connection& connection, Direction direction, bool joined_inside)
      : connection_(connection),
        direction_(direction),
        headers_(connection.limits_.max_headers, connection.limits_.max_head),
        frames_(*this, connection.limits_, joined_inside) {
    if (joined_inside) lose_headers(Missing::joined_late);
  }

  void on_bytes(std::string_view bytes, std::uint64_t now_ns, bool call_begins) {
    now_ns_ = now_ns;
    frames_.set_now(now_ns);
    frames_.feed(bytes, call_begins);
  }
  void skip(std::uint64_t bytes, Missing cause) { frames_.skip(bytes, cause); }
  void lose_headers(Missing cause) {
    headers_.forget();
    unknown_ = cause;
  }

  void on_header_block(std::uint32_t stream, std::string_view block, bool ends_stream, bool promised) override {
    connection_.on_header_block(*this, stream, block, ends_stream, promised);
  }
  void on_data(std::uint32_t stream, std::string_view piece) override {
    OpenExchange* const open = receiving(stream);
    if (open == nullptr) return;
    if (connection_.is_request_side(*this)) {
      open->add_to_request(piece, now_ns_);
    } else {
      open->add_to_response(piece, now_ns_);
    }
    end_if_whole(stream, *open);
  }
  void on_data_gap(std::uint32_t stream, std::uint64_t bytes, Missing cause) override {
    OpenExchange* const open = receiving(stream);
    if (open == nullptr) return;
    if (connection_.is_request_side(*this)) {
      open->skip_in_request(bytes, cause);
    } else {
      open->skip_in_response(bytes, cause);
    }
    end_if_whole(stream, *open);
  }
  void on_data_end(std::uint32_t stream) override { connection_.on_stream_end(*this, stream); }
  void on_reset(std::uint32_t stream) override {
    if (const auto found = connection_.open_.find(stream); found != connection_.open_.end()) connection_.finish(found);
  }
  void on_goaway(std::uint32_t last_stream) override {
    if (!connection_.request_direction_ || connection_.is_request_side(*this)) return;
    auto& open = connection_.open_;
    for (auto next = open.upper_bound(last_stream); next != open.end(); next = open.upper_bound(last_stream)) {
      connection_.finish(next);
    }
  }
  void on_table_size(std::uint32_t bytes) override {
    connection_.sides_[direction_ == Direction::read ? 1 : 0]->headers_.allow_table(bytes);
  }
  void on_frames_lost(Missing cause) override {
    lose_headers(cause);
    connection_.on_frames_lost(*this, cause);
  }

  [[nodiscard]] Direction direction() const { return direction_; }
  [[nodiscard]] HpackReader& headers() { return headers_; }
  // Why a header may be unknown.
  [[nodiscard]] Missing unknown() const { return unknown_; }
  [[nodiscard]] std::uint64_t first_ns() const { return frames_.frame_first_ns(); }
  [[nodiscard]] std::uint64_t now_ns() const { return now_ns_; }
  [[nodiscard]] std::size_t held_bytes() const { return frames_.held_bytes(); }

 private:
  // The exchange whose body this direction's DATA is, where its head was seen.
  [[nodiscard]] OpenExchange* receiving(std::uint32_t stream) const {
    OpenExchange* const open = connection_.find(stream);
    if (open == nullptr) return nullptr;
    const bool takes = connection_.is_request_side(*this)
                           ? !open->request_over()
                           : open->exchange().response.has_head && !open->response_over();
    return takes ? open : nullptr;
  }
  void end_if_whole(std::uint32_t stream, const OpenExchange& open) {
    const Exchange& exchange = open.exchange();
    const bool whole = connection_.is_request_side(*this) ? has_all(exchange.request) : has_all(exchange.response);
    if (whole) connection_.on_stream_end(*this, stream);
  }

  Http2Connection& connection_;
  Direction direction_;
  HpackReader headers_;
  Http2FrameReader frames_;
  Missing unknown_ = Missing::lost;
  std::uint64_t now_ns_ = 0;
};

Http2Connection::Http2Connection(ExchangeListener& listener, const HttpLimits& limits, std::uint32_t& exchanges,
                                 std::array<bool, 2> joined_inside)
    : listener_(listener), limits_(limits), exchanges_(exchanges) {
  for (const Direction direction : {Direction::read, Direction::write}) {
    const auto index = static_cast<std::size_t>(direction);
    sides_[index] = std::make_unique<Side>(*this, direction, joined_inside[index]);
  }
}

Http2Connection::~Http2Connection() = default;

void Http2Connection::on_bytes(Direction direction, std::string_view bytes, std::uint64_t now_ns, bool call_begins) {
  sides_[static_cast<std::size_t>(direction)]->on_bytes(bytes, now_ns, call_begins);
}

void Http2Connection::on_gap(Direction direction, std::uint64_t bytes, Missing cause) {
  sides_[static_cast<std::size_t>(direction)]->skip(bytes, cause);
}

void Http2Connection::end() {
  while (!open_.empty()) finish(open_.begin());
}

std::size_t Http2Connection::held_bytes() const {
  return kept_bytes_ + open_.size() * sizeof(OpenExchange) + sides_[0]->held_bytes() + sides_[1]->held_bytes();
}

bool Http2Connection::is_request_side(const Side& side) const { return request_direction_ == side.direction(); }

OpenExchange* Http2Connection::find(std::uint32_t stream) {
  const auto found = open_.find(stream);
  return found == open_.end() ? nullptr : found->second.get();
}

OpenExchange& Http2Connection::open(std::uint32_t stream) {
  if (open_.size() >= limits_.max_streams) {
    open_.begin()->second->response_missing().add(Missing::over_limit);
    finish(open_.begin());
  }
  const HttpRole role = request_direction_ == Direction::write ? HttpRole::client : HttpRole::server;
  auto made = std::make_unique<OpenExchange>(++exchanges_, role, listener_, limits_, kept_bytes_);
  return *open_.insert_or_assign(stream, std::move(made)).first->second;
}

void Http2Connection::finish(Streams::iterator at) {
  const std::unique_ptr<OpenExchange> open = std::move(at->second);
  finished_.push_back(at->first);
  if (finished_.size() > kRememberedStreams) finished_.pop_front();
  open_.erase(at);
  open->finish();
}

void Http2Connection::finish_if_over(std::uint32_t stream) {
  const auto found = open_.find(stream);
  if (found == open_.end()) return;
  if (found->second->request_over() && found->second->response_over()) finish(found);
}

void Http2Connection::on_header_block(Side& side, std::uint32_t stream, std::string_view block, bool ends_stream,
                                      bool promised) {
  MessageHead head{.method = {}, .target = {}, .status = 0, .version = "2", .headers = {}};
  bool unknown = false;
  std::string authority;
  const auto result = side.headers().read(block, [&](std::string_view name, std::string_view value, bool known) {
    if (!known) {
      unknown = true;
    } else if (name == ":method") {
      head.method = value;
    } else if (name == ":path") {
      head.target = value;
    } else if (name == ":authority") {
      authority = value;
    } else if (name == ":status") {
      (void)std::from_chars(value.data(), value.data() + value.size(), head.status);
    } else if (!name.starts_with(':')) {
      head.headers.add(std::string(name), std::string(value));
    }
  });
  if (result == HpackReader::Result::broken) {
    side.lose_headers(Missing::malformed);
    return on_frames_lost(side, Missing::malformed);
  }
  if (promised) return;  // it was read for the table's sake
  const bool is_request = !head.method.empty();
  if (!request_direction_ && (is_request || head.status != 0)) {
    request_direction_ = is_request == (side.direction() == Direction::write) ? Direction::write : Direction::read;
  }
  if (!request_direction_ || std::ranges::find(finished_, stream) != finished_.end()) return;
  // The host is where HTTP/1.1 has it.
  if (!authority.empty() && !head.headers.find("host")) head.headers.add("host", std::move(authority));
  if (is_request_side(side)) {
    on_request_head(side, stream, std::move(head), unknown);
  } else {
    on_response_head(side, stream, std::move(head), unknown, ends_stream);
  }
  if (OpenExchange* const told = find(stream); told != nullptr && result == HpackReader::Result::over_limit) {
    (is_request_side(side) ? told->request_missing() : told->response_missing()).add(Missing::over_limit);
  }
  if (ends_stream) on_stream_end(side, stream);
}

void Http2Connection::on_request_head(Side& side, std::uint32_t stream, MessageHead&& head, bool unknown) {
  if (find(stream) != nullptr) return;  // trailers
  OpenExchange& opened = open(stream);
  opened.begin_request(std::move(head), side.first_ns(), side.now_ns());
  if (unknown) opened.request_missing().add(side.unknown());
}

void Http2Connection::on_response_head(Side& side, std::uint32_t stream, MessageHead&& head, bool unknown,
                                       bool ends_stream) {
  if (is_interim(head.status) && !ends_stream) return;
  OpenExchange* opened = find(stream);
  if (opened == nullptr) {
    const Side& requests = *sides_[side.direction() == Direction::read ? 1 : 0];
    opened = &open(stream);
    opened->miss_request(0);
    opened->request_missing().add(requests.unknown());
  }
  if (opened->exchange().response.has_head) return;  // trailers
  opened->begin_response(std::move(head), side.first_ns(), side.now_ns());
  if (unknown) opened->response_missing().add(side.unknown());
}

void Http2Connection::on_stream_end(Side& side, std::uint32_t stream) {
  OpenExchange* const open = find(stream);
  if (open == nullptr) return;
  if (is_request_side(side)) {
    if (!open->request_over()) open->end_request(side.now_ns());
  } else if (open->exchange().response.has_head && !open->response_over()) {
    open->end_response(side.now_ns());
  }
  finish_if_over(stream);
}

void Http2Connection::on_frames_lost(Side& side, Missing cause) {
  const bool of_requests = is_request_side(side);
  for (const auto& [stream, open] : open_) {
    if (of_requests) {
      if (!open->request_over()) open->skip_in_request(0, cause);
    } else if (!open->exchange().response.has_head) {
      open->response_missing().add(cause);  // unless its answer comes after all
    } else if (!open->response_over()) {
      open->skip_in_response(0, cause);
    }
  }
}

}  // namespace oisp
