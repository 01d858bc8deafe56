// The terminal exporter as a process.
#include "exporters/terminal/terminal-sink.h"

#include <fcntl.h>
#include <pty.h>
#include <unistd.h>

#include "exporters/common/test-collector.h"
#include "ipc-schema/example-events.h"
#include "ipc-schema/order.h"
#include "ipc-schema/sink.h"
#include "tests/catch.h"

using namespace oisp;
using Kind = ExporterAnswer::Kind;

namespace {

void build(std::uint64_t sequence, schema::Event::Builder event) {
  build_example_event(sequence % kExampleCount, event);
}

struct Pipe {
  OwnedFd reader;
  OwnedFd writer;
};

Pipe make_pipe() {
  int fds[2];
  REQUIRE(::pipe2(fds, O_CLOEXEC) == 0);
  return {.reader = OwnedFd(fds[0]), .writer = OwnedFd(fds[1])};
}

std::string read_all(const OwnedFd& fd) {
  std::string all;
  char bytes[4096];
  while (true) {
    const ssize_t got = ::read(fd.get(), bytes, sizeof bytes);
    if (got <= 0) return all;
    all.append(bytes, static_cast<std::size_t>(got));
  }
}

}  // namespace

TEST_CASE("lines come as they happen, the summary at the end") {
  Pipe pipe = make_pipe();
  TestCollector collector(kTerminalExporter, pipe.writer.get(), 0, {{"width", "120"}});
  pipe.writer.reset();
  collector.send_hello();
  CHECK_FALSE(collector.receive().has_kept);
  collector.send_batch(0, 1, build);
  CHECK(collector.receive().sequence == 0);
  char bytes[4096];
  const ssize_t got = ::read(pipe.reader.get(), bytes, sizeof bytes);
  REQUIRE(got > 0);
  CHECK(std::string(bytes, static_cast<std::size_t>(got)).find("→ #1  anthropic") != std::string::npos);
  collector.send_batch(1, kExampleCount - 1, build);
  CHECK(collector.receive().kind == Kind::acknowledge);
  collector.send_finish();
  CHECK(collector.receive().kind == Kind::acknowledge);
  CHECK(collector.wait() == 0);
  const std::string rest = read_all(pipe.reader);
  CHECK(rest.find("⚙ Bash {\"command\":\"npm test\"}") != std::string::npos);
  CHECK(rest.find("coverage   7 of 8 TLS connections read") != std::string::npos);
}

TEST_CASE("held lines come when all is over") {
  Pipe pipe = make_pipe();
  TestCollector collector(kTerminalExporter, pipe.writer.get(), kSinkHold, {});
  pipe.writer.reset();
  collector.send_hello();
  CHECK(collector.receive().kind == Kind::hello);
  collector.send_batch(0, 5, build);
  CHECK(collector.receive().sequence == 4);
  REQUIRE(::fcntl(pipe.reader.get(), F_SETFL, O_NONBLOCK) == 0);
  CHECK(read_all(pipe.reader) == "");
  REQUIRE(::fcntl(pipe.reader.get(), F_SETFL, 0) == 0);
  collector.send_finish();
  CHECK(read_all(pipe.reader).find("→ #1") != std::string::npos);
  CHECK(collector.wait() == 0);
}

TEST_CASE("a terminal that hangs up does not hold up the recording") {
  int leader = -1;
  int follower = -1;
  REQUIRE(::openpty(&leader, &follower, nullptr, nullptr, nullptr) == 0);
  OwnedFd terminal(leader);
  const OwnedFd output(follower);
  TestCollector collector(kTerminalExporter, output.get(), kSinkColour, {});
  collector.send_hello();
  CHECK(collector.receive().kind == Kind::hello);
  collector.send_batch(0, 1, build);
  CHECK(collector.receive().kind == Kind::acknowledge);
  terminal.reset();
  collector.send_batch(1, 5, build);
  CHECK(collector.receive().sequence == 5);
  collector.send_finish();
  CHECK(collector.receive().kind == Kind::acknowledge);
  CHECK(collector.wait() == 0);
}
