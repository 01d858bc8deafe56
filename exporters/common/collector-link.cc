#include "exporters/common/collector-link.h"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <export.capnp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "exporters/common/limits.h"

namespace oisp {
namespace {

constexpr std::size_t kWord = sizeof(capnp::word);
constexpr std::size_t kKeptWords = kKeptBufferBytes / kWord;

bool would_block(int error) { return error == EAGAIN || error == EWOULDBLOCK; }

}  // namespace

CollectorLink::CollectorLink(OwnedFd socket) : socket_(std::move(socket)), buffer_(kKeptWords) {}

pollfd CollectorLink::wanted() const {
  return {.fd = socket_.get(), .events = static_cast<short>(waiting_.empty() ? POLLIN : POLLOUT), .revents = 0};
}

// Makes room for `words` from the next frame's first on.
void CollectorLink::make_room(std::size_t words) {
  if (begin_ > 0 && begin_ + words > buffer_.size()) {
    auto* const bytes = reinterpret_cast<char*>(buffer_.data());
    filled_bytes_ -= begin_ * kWord;
    std::memmove(bytes, bytes + begin_ * kWord, filled_bytes_);
    begin_ = 0;
  }
  if (words > buffer_.size()) {
    buffer_.resize(words);
  } else if (begin_ == 0 && buffer_.size() > kKeptWords && std::max(words * kWord, filled_bytes_) <= kKeptBufferBytes) {
    buffer_.resize(kKeptWords);
    buffer_.shrink_to_fit();
  }
}

Result<CollectorLink::Received, ExportError> CollectorLink::receive() {
  while (true) {
    const Words whole =
        Words(reinterpret_cast<const capnp::word*>(buffer_.data()), filled_bytes_ / kWord).subspan(begin_);
    const auto expected = expected_frame_words(whole);
    if (!expected) return expected.error();
    if (!whole.empty() && whole.size() >= expected.value()) {
      begin_ += expected.value();
      auto message = decode_export_message(whole.first(expected.value()));
      if (!message) return message.error();
      return Received(std::move(message.value()));
    }
    if (std::exchange(drained_, false)) return Received(Nothing{});
    if (begin_ * kWord == filled_bytes_) begin_ = filled_bytes_ = 0;
    make_room(std::max<std::size_t>(expected.value(), 1));
    const std::size_t space = buffer_.size() * kWord - filled_bytes_;
    ssize_t got = 0;
    do {
      got = ::recv(socket_.get(), reinterpret_cast<char*>(buffer_.data()) + filled_bytes_, space, MSG_DONTWAIT);
    } while (got < 0 && errno == EINTR);
    if (got < 0 && would_block(errno)) return Received(Nothing{});
    if (got <= 0) return Received(Ended{});
    filled_bytes_ += static_cast<std::size_t>(got);
    drained_ = static_cast<std::size_t>(got) < space;
  }
}

bool CollectorLink::send_waiting() {
  while (!waiting_.empty()) {
    const ssize_t sent = ::send(socket_.get(), waiting_.data(), waiting_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return would_block(errno);
    waiting_.erase(0, static_cast<std::size_t>(sent));
  }
  return true;
}

namespace {

void append_message(std::string& out, capnp::MessageBuilder& message) {
  const auto words = capnp::messageToFlatArray(message);
  const auto bytes = words.asBytes();
  out.append(reinterpret_cast<const char*>(bytes.begin()), bytes.size());
}

}  // namespace

bool CollectorLink::send_hello(std::optional<std::uint64_t> kept) {
  capnp::MallocMessageBuilder message(64);
  auto hello = message.initRoot<schema::FromExporter>().initHello();
  hello.setHasKept(kept.has_value());
  hello.setKept(kept.value_or(0));
  append_message(waiting_, message);
  return send_waiting();
}

bool CollectorLink::send_acknowledge(std::uint64_t sequence) {
  capnp::MallocMessageBuilder message(64);
  message.initRoot<schema::FromExporter>().setAcknowledge(sequence);
  append_message(waiting_, message);
  return send_waiting();
}

bool CollectorLink::send_failed(std::uint64_t acknowledged, const Fault& fault) {
  capnp::MallocMessageBuilder message(256);
  auto failed = message.initRoot<schema::FromExporter>().initFailed();
  failed.setAcknowledged(acknowledged);
  failed.setReason(fault.what);
  failed.setError(fault.error);
  append_message(waiting_, message);
  return send_waiting();
}

}  // namespace oisp
