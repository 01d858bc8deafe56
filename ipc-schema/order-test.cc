#include "ipc-schema/order.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "tests/catch.h"

using namespace oisp;

TEST_CASE("an order carries its fields and at most one descriptor") {
  auto pair = make_order_pair();
  REQUIRE(pair.ok());
  Order order{.kind = OrderKind::keep, .detail = -7, .value = 1ULL << 40};
  order.set_name("map:events");
  order.set_text(std::string(5000, 'x'));
  int pipe_fds[2];
  REQUIRE(::pipe2(pipe_fds, O_CLOEXEC) == 0);
  OwnedFd reader(pipe_fds[0]);
  OwnedFd writer(pipe_fds[1]);
  REQUIRE(send_order(pair->a.get(), order, writer.get()).ok());
  writer.reset();

  auto received = receive_order(pair->b.get());
  REQUIRE(received.ok());
  REQUIRE(received->has_value());
  const Order& got = (*received)->order;
  CHECK(got.kind == OrderKind::keep);
  CHECK(got.detail == -7);
  CHECK(got.value == 1ULL << 40);
  CHECK(got.name_view() == "map:events");
  CHECK(got.text_view() == std::string(sizeof(Order::text) - 1, 'x'));
  REQUIRE((*received)->fd.valid());
  CHECK((::fcntl((*received)->fd.get(), F_GETFD) & FD_CLOEXEC) != 0);
  REQUIRE(::write((*received)->fd.get(), "k", 1) == 1);
  char byte = 0;
  CHECK(::read(reader.get(), &byte, 1) == 1);
  CHECK(byte == 'k');
}

TEST_CASE("a message of another size is refused, a closed peer is the end") {
  auto pair = make_order_pair();
  REQUIRE(pair.ok());
  REQUIRE(::send(pair->a.get(), "short", 5, 0) == 5);
  CHECK_FALSE(receive_order(pair->b.get()).ok());
  pair->a.reset();
  auto end = receive_order(pair->b.get());
  REQUIRE(end.ok());
  CHECK_FALSE(end->has_value());
}

TEST_CASE("the last words of a peer that left without reading are heard") {
  auto pair = make_order_pair();
  REQUIRE(pair.ok());
  REQUIRE(send_order(pair->b.get(), {.kind = OrderKind::begin}).ok());  // never read
  REQUIRE(send_order(pair->a.get(), {.kind = OrderKind::failed, .detail = 3}).ok());
  pair->a.reset();
  auto last = receive_order(pair->b.get());
  REQUIRE(last.ok());
  REQUIRE(last->has_value());
  CHECK((*last)->order.detail == 3);
  auto end = receive_order(pair->b.get());
  REQUIRE(end.ok());
  CHECK_FALSE(end->has_value());
}
