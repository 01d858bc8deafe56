#include "ipc-schema/order-channel.h"

#include <fcntl.h>

#include "base/log.h"

namespace oisp {

OrderChannel::OrderChannel(OwnedFd socket, std::size_t most_queued)
    : socket_(std::move(socket)), most_queued_(most_queued) {
  const int flags = ::fcntl(fd(), F_GETFL);
  if (flags < 0 || ::fcntl(fd(), F_SETFL, flags | O_NONBLOCK) != 0) close();
}

void OrderChannel::close() {
  queue_.clear();
  socket_.reset();
}

bool OrderChannel::send_now(const Order& order, int fd) {
  const Status status = send_order(socket_.get(), order, fd);
  // A peer that is gone takes everything: what it said before is still to be read, and then its end.
  return status || status.error().error != EAGAIN;
}

void OrderChannel::send(const Order& order, int fd) {
  if (!open() || (queue_.empty() && send_now(order, fd))) return;
  OwnedFd copy;
  if (fd >= 0) copy = OwnedFd(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (queue_.size() >= most_queued_ || (fd >= 0 && !copy)) {
    log_warning("a peer does not read its orders");
    return close();
  }
  queue_.push_back({.order = order, .fd = std::move(copy)});
}

void OrderChannel::flush() {
  while (open() && !queue_.empty() && send_now(queue_.front().order, queue_.front().fd.get())) queue_.pop_front();
}

std::optional<ReceivedOrder> OrderChannel::receive() {
  if (!open()) return std::nullopt;
  auto received = receive_order(socket_.get());
  if (!received && received.error().error == EAGAIN) return std::nullopt;
  if (!received) log_warning("%s", received.error().text().c_str());
  if (!received || !received->has_value()) {
    close();
    return std::nullopt;
  }
  return std::move(*received);
}

}  // namespace oisp
