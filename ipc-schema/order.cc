#include "ipc-schema/order.h"

#include <sys/socket.h>

#include "base/message.h"
#include "base/text-array.h"

namespace oisp {
std::string_view Order::name_view() const { return view_text(name); }
std::string_view Order::text_view() const { return view_text(text); }
void Order::set_name(std::string_view value_text) { fill_text(name, value_text); }
void Order::set_text(std::string_view value_text) { fill_text(text, value_text); }

Status send_order(int socket, const Order& order, int fd) { return send_message(socket, &order, sizeof order, fd); }

Result<std::optional<ReceivedOrder>> receive_order(int socket) {
  ReceivedOrder received;
  auto fd = receive_message(socket, &received.order, sizeof received.order);
  if (!fd) return fd.error();
  if (!*fd) return std::optional<ReceivedOrder>{};
  received.fd = std::move(**fd);
  return std::optional<ReceivedOrder>{std::move(received)};
}

Result<SocketPair> make_order_pair() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0) return errno_fault("socketpair");
  return SocketPair{.a = OwnedFd(fds[0]), .b = OwnedFd(fds[1])};
}

}  // namespace oisp
