#include "collector/http/message-parser.h"

#include <algorithm>
#include <array>
#include <utility>

namespace oisp {
namespace {

// A gap is fed to llhttp as so many bytes, so that its framing stays right; it skips bodies unread.
constexpr std::array<char, 65536> kFiller = {};
// Beyond this a gap ends the message: the time that it may cost is bounded.
constexpr std::uint64_t kLongestGap = std::uint64_t{1} << 30;

}  // namespace

struct MessageParser::Callbacks {
  static MessageParser& self(llhttp_t* parser) { return *static_cast<MessageParser*>(parser->data); }

  static int begin(llhttp_t* p) noexcept { return self(p).on_begin(); }
  static int url(llhttp_t* p, const char* at, std::size_t size) noexcept {
    return self(p).on_text(self(p).head_.target, {at, size});
  }
  static int method(llhttp_t* p, const char* at, std::size_t size) noexcept {
    return self(p).on_text(self(p).head_.method, {at, size});
  }
  static int version(llhttp_t* p, const char* at, std::size_t size) noexcept {
    return self(p).on_text(self(p).head_.version, {at, size});
  }
  static int status(llhttp_t* p, const char*, std::size_t size) noexcept { return self(p).count_head(size); }
  static int name(llhttp_t* p, const char* at, std::size_t size) noexcept { return self(p).on_header_name({at, size}); }
  static int value(llhttp_t* p, const char* at, std::size_t size) noexcept {
    return self(p).on_header_value({at, size});
  }
  static int name_end(llhttp_t* p) noexcept { return self(p).on_header_name_end(); }
  static int head_end(llhttp_t* p) noexcept { return self(p).on_head_end(); }
  static int body(llhttp_t* p, const char* at, std::size_t size) noexcept { return self(p).on_body({at, size}); }
  static int chunk_head(llhttp_t* p) noexcept { return self(p).on_chunk_head(); }
  static int end(llhttp_t* p) noexcept { return self(p).on_end(); }

  static constexpr llhttp_settings_t kSettings = {
      .on_message_begin = begin,
      .on_url = url,
      .on_status = status,
      .on_method = method,
      .on_version = version,
      .on_header_field = name,
      .on_header_value = value,
      .on_headers_complete = head_end,
      .on_body = body,
      .on_message_complete = end,
      .on_header_field_complete = name_end,
      .on_chunk_header = chunk_head,
  };
};

MessageParser::MessageParser(MessageKind kind, MessageSink& sink, const HttpLimits& limits, bool hunting)
    : kind_(kind), sink_(sink), limits_(limits), phase_(Phase::between), scanner_(limits.max_head) {
  start_over(hunting ? Phase::hunting : Phase::between);
}

void MessageParser::start_over(Phase phase) {
  llhttp_init(&parser_, kind_ == MessageKind::request ? HTTP_REQUEST : HTTP_RESPONSE, &Callbacks::kSettings);
  parser_.data = this;
  // What real servers and clients do; none of it can make one message look like two here that the
  // program itself took for one, because the bytes were framed by TLS and not by a proxy.
  llhttp_set_lenient_headers(&parser_, 1);
  llhttp_set_lenient_chunked_length(&parser_, 1);
  llhttp_set_lenient_keep_alive(&parser_, 1);
  llhttp_set_lenient_transfer_encoding(&parser_, 1);
  phase_ = phase;
  framing_ = Framing::none;
  left_bytes_ = 0;
  head_ = {};
  name_.clear();
  value_.clear();
  value_began_ = false;
  head_bytes_ = 0;
  scanner_.clear();
}

void MessageParser::feed(std::string_view bytes, std::uint64_t first_ns, std::uint64_t now_ns, bool call_begins) {
  feed_first_ns_ = first_ns;
  now_ns_ = now_ns;
  if (phase_ == Phase::hunting) {
    hunt(bytes, call_begins);
  } else {
    execute(bytes);
  }
}

void MessageParser::hunt(std::string_view bytes, bool call_begins) {
  const bool had_candidate = !scanner_.empty();
  if (!had_candidate && !call_begins) {
    return;
  }
  StartLine found = scanner_.add(bytes, feed_first_ns_);
  if (found == StartLine::none && had_candidate && call_begins) {
    scanner_.clear();
    found = scanner_.add(bytes, feed_first_ns_);
  }
  if (found == StartLine::unknown) {
    return;
  }
  if (found != (kind_ == MessageKind::request ? StartLine::request : StartLine::response)) {
    scanner_.clear();
    return;
  }
  feed_first_ns_ = scanner_.first_ns();
  const std::string taken = scanner_.take();
  start_over(Phase::between);
  execute(taken);
}

void MessageParser::execute(std::string_view bytes) {
  while (!bytes.empty()) {
    const llhttp_errno_t error = llhttp_execute(&parser_, bytes.data(), bytes.size());
    if (error == HPE_OK) {
      return;
    }
    const auto done = static_cast<std::size_t>(llhttp_get_error_pos(&parser_) - bytes.data());
    if (error != HPE_PAUSED_UPGRADE || done > bytes.size()) {
      break_off(error == HPE_USER ? Missing::over_limit : Missing::malformed);
      return;
    }
    if (kind_ == MessageKind::response) {
      return;  // another protocol begins here
    }
    // An upgrade that was only offered (h2c, say): HTTP/1 goes on unless the answer says otherwise, and
    // then the connection does not feed this parser any more.
    bytes.remove_prefix(done);
    llhttp_resume_after_upgrade(&parser_);
  }
}

void MessageParser::break_off(Missing cause) {
  const bool begun = phase_ == Phase::head || phase_ == Phase::body;
  start_over(Phase::hunting);
  if (begun) {
    sink_.on_broken(kind_, cause);
  }
}

void MessageParser::skip(std::uint64_t bytes, Missing cause) {
  const bool known = bytes > 0 && bytes <= kLongestGap;
  gap_cause_ = cause;
  if (phase_ == Phase::body && framing_ == Framing::until_end) {
    sink_.on_body_gap(kind_, bytes, cause);
  } else if (phase_ == Phase::body && framing_ == Framing::chunked && known && bytes <= left_bytes_) {
    skip_framed(bytes);
  } else if (phase_ == Phase::body && framing_ == Framing::length && known) {
    const std::uint64_t beyond = bytes - std::min(bytes, left_bytes_);
    skip_framed(bytes - beyond);
    if (beyond > 0) {
      break_off(cause);
    }
  } else {
    break_off(cause);
  }
}

void MessageParser::skip_framed(std::uint64_t bytes) {
  in_gap_ = true;
  while (bytes > 0) {
    const std::uint64_t part = std::min<std::uint64_t>(bytes, kFiller.size());
    execute(std::string_view(kFiller.data(), static_cast<std::size_t>(part)));
    bytes -= part;
  }
  in_gap_ = false;
}

void MessageParser::end(bool orderly) {
  if (orderly && phase_ == Phase::body && framing_ == Framing::until_end) {
    (void)llhttp_finish(&parser_);
  }
  break_off(Missing::stream_ended);
}

int MessageParser::count_head(std::size_t bytes) {
  head_bytes_ += bytes;
  if (head_bytes_ <= limits_.max_head && head_.headers.all().size() <= limits_.max_headers) {
    return 0;
  }
  return HPE_USER;
}

int MessageParser::on_begin() {
  phase_ = Phase::head;
  head_ = {};
  head_bytes_ = 0;
  message_first_ns_ = std::exchange(feed_first_ns_, now_ns_);
  return 0;
}

int MessageParser::on_text(std::string& text, std::string_view bytes) {
  text.append(bytes);
  return count_head(bytes.size());
}

void MessageParser::end_header() {
  if (!name_.empty()) {
    head_.headers.add(std::exchange(name_, {}), std::exchange(value_, {}));
  }
  value_began_ = false;
}

int MessageParser::on_header_name(std::string_view bytes) {
  if (phase_ != Phase::head) {
    return 0;  // a trailer
  }
  if (value_began_) {
    end_header();
  }
  return on_text(name_, bytes);
}

int MessageParser::on_header_value(std::string_view bytes) {
  if (phase_ != Phase::head) {
    return 0;
  }
  return on_text(value_, bytes);
}

// A value may be empty, and then nothing tells of it.
int MessageParser::on_header_name_end() {
  value_began_ = true;
  return 0;
}

int MessageParser::on_head_end() {
  end_header();
  head_.status = kind_ == MessageKind::response ? llhttp_get_status_code(&parser_) : 0;
  phase_ = Phase::body;
  head_bytes_ = 0;
  left_bytes_ = 0;
  if ((parser_.flags & F_CHUNKED) != 0) {
    framing_ = Framing::chunked;
  } else if ((parser_.flags & F_CONTENT_LENGTH) != 0 && (parser_.flags & F_TRANSFER_ENCODING) == 0) {
    framing_ = Framing::length;
    left_bytes_ = parser_.content_length;
  } else {
    framing_ = Framing::until_end;
  }
  switch (sink_.on_head(kind_, std::exchange(head_, {}))) {
    case BodyRule::as_framed:
      return 0;
    case BodyRule::none:
      return 1;
    case BodyRule::upgrade:
      return 2;
  }
  return -1;
}

int MessageParser::on_body(std::string_view bytes) {
  left_bytes_ -= std::min<std::uint64_t>(left_bytes_, bytes.size());
  if (in_gap_) {
    sink_.on_body_gap(kind_, bytes.size(), gap_cause_);
  } else {
    sink_.on_body(kind_, bytes);
  }
  return 0;
}

int MessageParser::on_chunk_head() {
  left_bytes_ = parser_.content_length;
  return 0;
}

int MessageParser::on_end() {
  phase_ = Phase::between;
  framing_ = Framing::none;
  sink_.on_whole(kind_);
  return 0;
}

}  // namespace oisp
