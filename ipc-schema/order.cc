#include "ipc-schema/order.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cstring>

namespace oisp {
namespace {

std::string_view view_of(const char* array, std::size_t size) { return {array, ::strnlen(array, size)}; }

void fill(char* array, std::size_t size, std::string_view text) {
  const std::size_t length = std::min(text.size(), size - 1);
  std::memset(array, 0, size);
  if (length > 0) std::memcpy(array, text.data(), length);
}

Result<SocketPair> make_pair(int type) {
  int fds[2];
  if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds) != 0) return errno_fault("socketpair");
  return SocketPair{.a = OwnedFd(fds[0]), .b = OwnedFd(fds[1])};
}

}  // namespace

std::string_view Order::name_view() const { return view_of(name, sizeof name); }
std::string_view Order::text_view() const { return view_of(text, sizeof text); }
void Order::set_name(std::string_view value_text) { fill(name, sizeof name, value_text); }
void Order::set_text(std::string_view value_text) { fill(text, sizeof text, value_text); }

Status send_order(int socket, const Order& order, int fd) {
  iovec part{.iov_base = const_cast<Order*>(&order), .iov_len = sizeof order};  // sendmsg only reads it
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  if (fd >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  }
  ssize_t sent = 0;
  do {
    sent = ::sendmsg(socket, &message, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) return errno_fault("send order");
  return Done{};
}

Result<std::optional<ReceivedOrder>> receive_order(int socket) {
  ReceivedOrder received;
  iovec part{.iov_base = &received.order, .iov_len = sizeof received.order};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  // Room for more than one, so that a peer that sends several is refused with all of them closed.
  alignas(cmsghdr) char control[CMSG_SPACE(8 * sizeof(int))] = {};
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t got = 0;
  do {
    got = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    // ECONNRESET is said once, where the peer went without reading all; what it had sent comes after.
  } while (got < 0 && (errno == EINTR || errno == ECONNRESET));
  if (got < 0) return errno_fault("receive order");

  std::size_t descriptors = 0;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
      received.fd = OwnedFd(fd);  // the one before, if any, is closed
      ++descriptors;
    }
  }
  if (got == 0) return std::optional<ReceivedOrder>{};
  if (got != static_cast<ssize_t>(sizeof received.order) || descriptors > 1 ||
      (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
    return fault("an order of the wrong size or with too many descriptors");
  }
  return std::optional<ReceivedOrder>{std::move(received)};
}

Result<SocketPair> make_order_pair() { return make_pair(SOCK_SEQPACKET); }

Result<SocketPair> make_stream_pair(int send_buffer_bytes) {
  auto pair = make_pair(SOCK_STREAM);
  if (!pair || send_buffer_bytes == 0) return pair;
  for (const int fd : {pair->a.get(), pair->b.get()}) {
    if (::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_buffer_bytes, sizeof send_buffer_bytes) != 0) {
      return errno_fault("setsockopt SO_SNDBUF");
    }
  }
  return pair;
}

}  // namespace oisp
