// One side of an order connection that never makes its owner wait: what does not fit into the
// socket waits here, up to a bound.
#pragma once

#include <deque>

#include "ipc-schema/order.h"

namespace oisp {

class OrderChannel {
 public:
  OrderChannel() = default;
  // A peer that leaves more than `most_queued` orders unread loses the connection.
  OrderChannel(OwnedFd socket, std::size_t most_queued);

  [[nodiscard]] bool open() const { return socket_.valid(); }
  [[nodiscard]] int fd() const { return socket_.get(); }
  [[nodiscard]] bool has_queued() const { return !queue_.empty(); }
  void close();

  // `fd` stays the caller's.
  void send(const Order& order, int fd = -1);
  // Sends what waits, as far as the socket takes it.
  void flush();
  // What came, if anything. Closes the channel at the peer's end, and where it sent nonsense.
  std::optional<ReceivedOrder> receive();

 private:
  struct Queued {
    Order order;
    OwnedFd fd;
  };
  // False: not now.
  bool send_now(const Order& order, int fd);

  OwnedFd socket_;
  std::size_t most_queued_ = 0;
  std::deque<Queued> queue_;
};

}  // namespace oisp
