// What the helper asks of its launcher: `request_*` here is `answer_*` there.
#pragma once

#include <cstdint>
#include <string>

#include "base/log.h"
#include "ipc-schema/order.h"

namespace oisp {

class Store {
 public:
  explicit Store(int channel) : channel_(channel) {}

  void request_keep(const std::string& name, int fd) const { send({.kind = OrderKind::keep}, name, fd); }
  void request_forget(const std::string& name) const { send({.kind = OrderKind::forget}, name, -1); }
  void request_scanner() const { send({.kind = OrderKind::want_scanner}, {}, -1); }
  void request_hold(std::uint32_t tgid) const { send({.kind = OrderKind::held, .value = tgid}, {}, -1); }
  void request_release(std::uint32_t tgid) const { send({.kind = OrderKind::release, .value = tgid}, {}, -1); }

 private:
  // Where it fails the launcher is gone, and the end of `orders` says so.
  void send(Order order, const std::string& name, int fd) const {
    order.set_name(name);
    if (const Status sent = send_order(channel_, order, fd); !sent) log_debug("%s", sent.error().text().c_str());
  }

  int channel_;
};

}  // namespace oisp
