#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "base/event-loop/byte-stream.h"
#include "base/event-loop/loop.h"
#include "base/event-loop/poll-fd.h"
#include "base/event-loop/timer.h"
#include "tests/catch.h"

using namespace oisp;

namespace {

// Collects what comes; stops the loop at the end or after `enough` bytes.
struct Collect : ByteStream::Listener {
  Loop* loop = nullptr;
  std::size_t enough = SIZE_MAX;
  std::string text;
  std::vector<std::byte> buffer = std::vector<std::byte>(4096);
  bool ended = false;
  bool written = false;
  std::unique_ptr<ByteStream> stream;

  std::span<std::byte> read_space() override { return buffer; }
  bool on_bytes(std::size_t bytes) override {
    text.append(reinterpret_cast<const char*>(buffer.data()), bytes);
    if (text.size() < enough) return true;
    stream.reset();
    loop->stop();
    return false;
  }
  void on_end() override {
    ended = true;
    stream.reset();  // in its own callback
    loop->stop();
  }
  void on_written() override { written = true; }
};

struct Pair {
  OwnedFd a;
  OwnedFd b;
};

Pair make_pair() {
  int fds[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
  return {OwnedFd(fds[0]), OwnedFd(fds[1])};
}

Chunk chunk_of(std::string_view text) {
  Chunk chunk = Chunk::make(text.size());
  std::copy(text.begin(), text.end(), reinterpret_cast<char*>(chunk.span().data()));
  return chunk;
}

}  // namespace

TEST_CASE("timers fire in order, repeat, and may go in their own callback") {
  auto loop = Loop::make();
  REQUIRE(loop.ok());
  std::string order;
  std::unique_ptr<Timer> once;
  Timer repeated(**loop, [&order, &loop] {
    order += 'r';
    if (order.size() == 4) (*loop)->stop();
  });
  once = std::make_unique<Timer>(**loop, [&order, &once] {
    order += 'o';
    once.reset();
  });
  once->start(0);
  repeated.start(5, 5);
  (*loop)->run();
  CHECK(order == "orrr");
}

TEST_CASE("a stream delivers all bytes in order, also when the peer reads slowly") {
  auto loop = Loop::make();
  REQUIRE(loop.ok());
  Pair pair = make_pair();
  Collect sender;
  Collect receiver;
  sender.loop = receiver.loop = loop->get();
  sender.stream = ByteStream::make(**loop, std::move(pair.a), sender).value();
  receiver.stream = ByteStream::make(**loop, std::move(pair.b), receiver).value();
  std::string expected;
  for (int i = 0; i < 40; ++i) {
    const std::string part(50001, static_cast<char>('a' + i % 26));
    expected += part;
    sender.stream->write(chunk_of(part));
  }
  CHECK(sender.stream->unwritten_bytes() > 0);  // more than the socket's buffer holds
  receiver.enough = expected.size();
  (*loop)->run();
  CHECK(receiver.text == expected);
  CHECK(sender.written);
  CHECK(sender.stream->unwritten_bytes() == 0);
  (*loop)->run();
  CHECK(sender.ended);  // the receiver has closed
}

TEST_CASE("a stream that does not read leaves the bytes with the kernel") {
  auto loop = Loop::make();
  REQUIRE(loop.ok());
  Pair pair = make_pair();
  Collect receiver;
  receiver.loop = loop->get();
  receiver.stream = ByteStream::make(**loop, std::move(pair.a), receiver).value();
  receiver.stream->set_reading(false);
  REQUIRE(::write(pair.b.get(), "abc", 3) == 3);
  Timer timer(**loop, [&] {
    CHECK(receiver.text.empty());
    receiver.enough = 3;
    receiver.stream->set_reading(true);
  });
  timer.start(5);
  (*loop)->run();
  CHECK(receiver.text == "abc");
}

TEST_CASE("writing to a peer that has gone is harmless, and the end is seen") {
  auto loop = Loop::make();
  REQUIRE(loop.ok());
  Pair pair = make_pair();
  Collect sender;
  sender.loop = loop->get();
  sender.stream = ByteStream::make(**loop, std::move(pair.a), sender).value();
  pair.b.reset();
  sender.stream->write(chunk_of("x"));
  sender.stream->write(chunk_of("y"));
  (*loop)->run();
  CHECK(sender.ended);
}

TEST_CASE("a descriptor that cannot be watched is an error, not a crash") {
  auto loop = Loop::make();
  REQUIRE(loop.ok());
  CHECK_FALSE(PollFd::make(**loop, OwnedFd(), [](bool, bool) {}).ok());
}
