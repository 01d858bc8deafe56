#include "base/event-loop/byte-stream.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace oisp {
namespace {

// Reads at most this often before others have their turn.
constexpr int kReadsPerTurn = 16;
constexpr std::size_t kMostParts = 16;

}  // namespace

Chunk Chunk::make(std::size_t bytes) {
  return Chunk{.words = std::make_unique_for_overwrite<std::uint64_t[]>((bytes + 7) / 8), .bytes = bytes};
}

Result<std::unique_ptr<ByteStream>> ByteStream::make(Loop& loop, OwnedFd fd, Listener& listener) {
  auto stream = std::unique_ptr<ByteStream>(new ByteStream(listener));  // the constructor is private
  auto poll = PollFd::make(loop, std::move(fd),
                           [self = stream.get()](bool readable, bool writable) { self->on_ready(readable, writable); });
  if (!poll) return poll.error();
  stream->poll_ = std::move(*poll);
  stream->wait();
  return stream;
}

void ByteStream::set_reading(bool reading) {
  reading_ = reading;
  wait();
}

void ByteStream::write(Chunk chunk) {
  if (broken_ || chunk.bytes == 0) return;
  unwritten_bytes_ += chunk.bytes;
  outgoing_.push_back(std::move(chunk));
  if (outgoing_.size() == 1) write_some();
  wait();
}

void ByteStream::on_ready(bool readable, bool writable) {
  if (writable) {
    write_some();
    wait();
    if (outgoing_.empty() && !broken_) listener_.on_written();
  }
  if (readable && reading_) read_some();  // last: the listener may destroy this stream
}

void ByteStream::read_some() {
  for (int turn = 0; turn < kReadsPerTurn && reading_; ++turn) {
    const std::span<std::byte> space = listener_.read_space();
    const ssize_t got = ::recv(poll_->fd(), space.data(), space.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (got <= 0) {
      poll_->wait_for(false, false);
      return listener_.on_end();
    }
    if (!listener_.on_bytes(static_cast<std::size_t>(got))) return;
    if (static_cast<std::size_t>(got) < space.size()) return;  // the socket is empty
  }
}

void ByteStream::write_some() {
  while (!outgoing_.empty()) {
    std::array<iovec, kMostParts> parts{};
    std::size_t count = 0;
    std::size_t offset = first_offset_;
    for (const Chunk& chunk : outgoing_) {
      if (count == kMostParts) break;
      const auto rest = chunk.span().subspan(std::exchange(offset, 0));
      parts[count++] = {.iov_base = rest.data(), .iov_len = rest.size()};
    }
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = count;
    const ssize_t sent = ::sendmsg(poll_->fd(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (sent < 0) {
      broken_ = true;
      outgoing_.clear();
      unwritten_bytes_ = first_offset_ = 0;
      return;
    }
    auto left = static_cast<std::size_t>(sent);
    unwritten_bytes_ -= left;
    while (left > 0) {
      const std::size_t first = outgoing_.front().bytes - first_offset_;
      const std::size_t taken = std::min(first, left);
      left -= taken;
      first_offset_ += taken;
      if (taken < first) break;
      outgoing_.pop_front();
      first_offset_ = 0;
    }
  }
}

void ByteStream::wait() { poll_->wait_for(reading_, !outgoing_.empty()); }

}  // namespace oisp
