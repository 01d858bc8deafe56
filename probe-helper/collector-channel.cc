#include "probe-helper/collector-channel.h"

#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "base/bug.h"
#include "base/log.h"
#include "probe-helper/limits.h"

namespace oisp {

void CollectorChannel::connect(OwnedFd connection) {
  close();
  connection_ = std::move(connection);
}

void CollectorChannel::close() {
  connection_.reset();
  sending_ = Sending::nothing;
  frame_.clear();
  sent_ = 0;
  credit_ = 0;
  received_bytes_ = 0;
}

void CollectorChannel::send_frame(Frame frame) {
  OISP_BUG_IF(is_busy());
  frame_ = std::move(frame);
  sending_ = Sending::frame;
  flush();
}

void CollectorChannel::send_span(Ring& ring, std::span<const std::byte> records) {
  OISP_BUG_IF(is_busy() || records.size() > credit_);
  credit_ -= records.size();
  head_ = make_span_head(ring.consumer(), records.size());
  span_ = records;
  ring_ = &ring;
  sending_ = Sending::span;
  flush();
}

void CollectorChannel::flush() {
  while (is_open() && is_busy()) {
    const bool is_span = sending_ == Sending::span;
    const std::span<const std::byte> first = is_span ? std::span<const std::byte>(head_) : frame_;
    const std::span<const std::byte> second = is_span ? span_ : std::span<const std::byte>{};
    std::array<iovec, 2> parts = unsent_parts(first, second, sent_);
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    const ssize_t sent = ::sendmsg(connection_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) {
      if (errno != EAGAIN) close();
      return;
    }
    sent_ += static_cast<std::size_t>(sent);
    if (sent_ < first.size() + second.size()) continue;
    if (is_span) ring_->consume(span_.size());
    frame_.clear();
    sent_ = 0;
    sending_ = Sending::nothing;
  }
}

void CollectorChannel::fill() {
  const std::size_t room = received_.size() - received_bytes_;
  ssize_t got = 0;
  do {
    got = ::recv(connection_.get(), received_.data() + received_bytes_, room, MSG_DONTWAIT);
  } while (got < 0 && errno == EINTR);
  if (got == 0 || (got < 0 && errno != EAGAIN)) {
    close();
  } else if (got > 0) {
    received_bytes_ += static_cast<std::size_t>(got);
  }
}

std::optional<CollectorRequest> CollectorChannel::receive() {
  bool filled = false;
  while (is_open()) {
    auto decoded = decode_request({received_.data(), received_bytes_});
    if (!decoded) {
      log_warning("the collector sent what is not a request: its connection is closed");
      close();
      return {};
    }
    if (!decoded.value()) {
      if (filled) return {};
      filled = true;
      fill();
      continue;
    }
    const DecodedRequest& whole = *decoded.value();
    received_bytes_ -= whole.frame_bytes;
    std::memmove(received_.data(), received_.data() + whole.frame_bytes, received_bytes_);
    if (whole.request.kind != CollectorRequest::Kind::credit) return whole.request;
    credit_ = std::min(kMostCredit, credit_ + std::min(kMostCredit, whole.request.credit_bytes));
  }
  return {};
}

}  // namespace oisp
