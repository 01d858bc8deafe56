#include "collector/fanout/fanout.h"
#include "ipc-schema/sink.h"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <sys/socket.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "base/event-loop/loop.h"
#include "base/event-loop/timer.h"
#include "collector/frame.h"
#include "export.capnp.h"
#include "tests/catch.h"

using namespace oisp;

namespace {

// An event of this size, recognisable by its bytes.
Chunk event_of(std::uint64_t number, std::size_t bytes = 64) {
  Chunk chunk = Chunk::make(bytes);
  std::ranges::fill(chunk.span(), static_cast<std::byte>(number));
  return chunk;
}

// An exporter's end of a connection.
class FakeExporter : public ByteStream::Listener {
 public:
  FakeExporter(Loop& loop, OwnedFd fd) : stream_(ByteStream::make(loop, std::move(fd), *this).value()) {}

  void hello(std::uint64_t kept, bool has_kept) {
    capnp::MallocMessageBuilder message;
    auto said = message.initRoot<schema::FromExporter>().initHello();
    said.setKept(kept);
    said.setHasKept(has_kept);
    stream_->write(frame_of(message));
  }
  void acknowledge(std::uint64_t sequence) {
    capnp::MallocMessageBuilder message;
    message.initRoot<schema::FromExporter>().setAcknowledge(sequence);
    stream_->write(frame_of(message));
  }
  void fail(const char* reason) {
    capnp::MallocMessageBuilder message;
    message.initRoot<schema::FromExporter>().initFailed().setReason(reason);
    stream_->write(frame_of(message));
  }

  std::vector<std::uint64_t> got;  // sequences
  bool greeted = false;
  bool finished = false;
  bool ended = false;
  bool acknowledges = true;

 private:
  std::span<std::byte> read_space() override {
    buffer_.resize(std::max(buffer_.size(), filled_ + 65536));
    return std::span(buffer_).subspan(filled_);
  }
  bool on_bytes(std::size_t bytes) override {
    filled_ += bytes;
    while (take_frame()) {
    }
    return true;
  }
  bool take_frame() {
    const auto words = kj::arrayPtr(reinterpret_cast<const capnp::word*>(buffer_.data()), filled_ / 8);
    const std::size_t size = capnp::expectedSizeInWordsFromPrefix(words);
    if (filled_ < 8 || size > words.size()) return false;
    capnp::FlatArrayMessageReader reader(words.slice(0, size));
    const auto message = reader.getRoot<schema::ToExporter>();
    if (message.isHello()) greeted = true;
    if (message.isFinish()) finished = true;
    if (message.isBatch()) {
      std::uint64_t sequence = message.getBatch().getFirstSequence();
      for (const auto event : message.getBatch().getEvents()) {
        CHECK(event[0] == static_cast<kj::byte>(sequence));  // the bytes are that event's
        got.push_back(sequence++);
      }
      if (acknowledges) acknowledge(sequence - 1);
    }
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(size * 8));
    filled_ -= size * 8;
    return true;
  }
  void on_end() override {
    ended = true;
    stream_.reset();
  }

  std::vector<std::byte> buffer_;
  std::size_t filled_ = 0;
  std::unique_ptr<ByteStream> stream_;
};

struct Watch : Fanout::Listener {
  bool ready = false;
  bool delivered = false;
  std::string lost;
  void on_sinks_ready() override { ready = true; }
  void on_sink_lost(const std::string& name, const std::string& reason) override { lost = name + ": " + reason; }
  void on_all_delivered() override { delivered = true; }
};

struct Bench {
  explicit Bench(std::size_t most_bytes = 1 << 20) : fanout(*loop, watch, most_bytes) {}

  std::unique_ptr<FakeExporter> connect(const char* name, SinkKind kind, bool after_file = false) {
    int fds[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    fanout.add_connection(name, kind, after_file, OwnedFd(fds[0]));
    return std::make_unique<FakeExporter>(*loop, OwnedFd(fds[1]));
  }
  // Runs the loop until this is so (give or take ten seconds).
  void settle(const std::function<bool()>& enough) {
    int turns = 10000;
    Timer timer(*loop, [&] {
      if (enough() || --turns == 0) loop->stop();
    });
    timer.start(0, 1);
    loop->run();
  }
  // Runs it for a while, in which nothing is to be waited for.
  void settle() {
    int turns = 20;
    settle([&turns] { return --turns == 0; });
  }
  void push(int count, std::size_t bytes = 64) {
    for (int i = 0; i < count; ++i) fanout.push(event_of(fanout.next_sequence(), bytes));
    fanout.pump();
  }

  std::unique_ptr<Loop> loop = Loop::make().value();
  Watch watch;
  Fanout fanout;
};

std::vector<std::uint64_t> range(std::uint64_t from, std::uint64_t to) {
  std::vector<std::uint64_t> all;
  for (std::uint64_t i = from; i <= to; ++i) all.push_back(i);
  return all;
}

}  // namespace

TEST_CASE("every sink gets every event in order, numbered after what the fullest one has") {
  Bench bench;
  auto file = bench.connect("jsonl", SinkKind::jsonl);
  auto view = bench.connect("terminal", SinkKind::terminal);
  bench.fanout.expect_no_more_sinks();
  bench.settle();
  CHECK(file->greeted);
  CHECK_FALSE(bench.watch.ready);
  file->hello(41, true);
  view->hello(0, false);
  bench.settle([&] { return bench.watch.ready; });
  CHECK(bench.watch.ready);
  CHECK(bench.fanout.next_sequence() == 42);
  bench.push(1000);
  bench.settle([&] { return file->got.size() >= 1041 - 42 + 1; });
  CHECK(file->got == range(42, 1041));
  bench.settle([&] { return view->got.size() >= 1000; });
  CHECK(view->got == range(42, 1041));
  CHECK_FALSE(bench.watch.delivered);
  bench.fanout.finish();
  CHECK(bench.watch.delivered);
  bench.fanout.send_finish();
  bench.settle();
  CHECK(file->finished);
  CHECK(bench.fanout.losses_in_all().empty());
}

TEST_CASE("a sink that does not acknowledge holds up no other, and gets all again after its exporter died") {
  Bench bench;
  auto file = bench.connect("jsonl", SinkKind::jsonl);
  auto view = bench.connect("terminal", SinkKind::terminal);
  bench.fanout.expect_no_more_sinks();
  file->hello(0, false);
  view->hello(0, false);
  file->acknowledges = false;
  bench.settle();
  bench.push(5000);
  bench.settle([&] { return view->got.size() >= 5000 - 1 + 1; });
  CHECK(view->got == range(1, 5000));
  bench.settle([&] { return file->got.size() >= 2000; });
  CHECK(file->got.size() < 5000);  // the window
  file->acknowledge(100);
  bench.settle();
  bench.fanout.finish();
  CHECK_FALSE(bench.watch.delivered);
  file.reset();
  file = bench.connect("jsonl", SinkKind::jsonl);
  bench.settle();
  CHECK(file->greeted);
  file->hello(150, true);  // it had written 50 more than it could say
  bench.settle([&] { return file->got.size() >= 5000 - 151 + 1; });
  CHECK(file->got == range(151, 5000));
  CHECK(bench.watch.delivered);
  CHECK(bench.fanout.losses_in_all().empty());
}

TEST_CASE("a new connection waits until the old one has been read to its end") {
  Bench bench;
  auto old = bench.connect("jsonl", SinkKind::jsonl);
  bench.fanout.expect_no_more_sinks();
  old->hello(0, false);
  bench.settle();
  auto fresh = bench.connect("jsonl", SinkKind::jsonl);
  bench.settle();
  CHECK_FALSE(fresh->greeted);
  old.reset();
  bench.settle();
  CHECK(fresh->greeted);
}

TEST_CASE("the view shows an event only once the file has it") {
  Bench bench;
  auto file = bench.connect("jsonl", SinkKind::jsonl);
  auto view = bench.connect("terminal", SinkKind::terminal, true);
  bench.fanout.expect_no_more_sinks();
  file->hello(0, false);
  view->hello(0, false);
  file->acknowledges = false;
  bench.settle();
  bench.push(10);
  bench.settle([&] { return file->got.size() >= 10 - 1 + 1; });
  CHECK(file->got == range(1, 10));
  CHECK(view->got.empty());
  file->acknowledge(4);
  bench.settle([&] { return view->got.size() >= 4 - 1 + 1; });
  CHECK(view->got == range(1, 4));
  file->fail("No space left on device");
  bench.settle();
  CHECK(bench.watch.lost == "jsonl: No space left on device");
  CHECK(view->got == range(1, 10));  // it goes on without the file
  bench.push(2);
  bench.settle([&] { return view->got.size() >= 12 - 1 + 1; });
  CHECK(view->got == range(1, 12));
  const auto losses = bench.fanout.losses_in_all();
  REQUIRE(losses.size() == 1);
  CHECK(losses[0].loss.from == 5);
  CHECK(losses[0].loss.count == 8);
  bench.fanout.finish();
  CHECK(bench.watch.delivered);
}

TEST_CASE("what a bound evicts is lost for the slow sink alone, and counted with its range") {
  Bench bench(64 * 1024);
  auto file = bench.connect("jsonl", SinkKind::jsonl);
  auto view = bench.connect("terminal", SinkKind::terminal);
  bench.fanout.expect_no_more_sinks();
  file->hello(0, false);
  view->hello(0, false);
  bench.settle();
  view.reset();  // and nobody comes back
  bench.settle();
  for (int i = 0; i < 40; ++i) {
    bench.push(5, 1024);
    bench.settle([&] { return file->got.size() >= static_cast<std::size_t>(i + 1) * 5; });
  }
  CHECK(file->got == range(1, 200));
  const auto losses = bench.fanout.take_losses();
  REQUIRE(losses.size() == 1);
  CHECK(losses[0].sink == "terminal");
  CHECK(losses[0].loss.from == 1);
  CHECK(losses[0].loss.to == losses[0].loss.count);
  CHECK(losses[0].loss.count > 100);
  CHECK(bench.fanout.take_losses().empty());
  bench.fanout.finish();
  CHECK_FALSE(bench.watch.delivered);
  bench.fanout.abandon();
  CHECK(bench.watch.delivered);
  CHECK(bench.fanout.losses_in_all()[0].loss.count == 200);
}

TEST_CASE("an exporter that acknowledges what it was not sent is cut off") {
  Bench bench;
  auto file = bench.connect("jsonl", SinkKind::jsonl);
  bench.fanout.expect_no_more_sinks();
  file->hello(0, false);
  bench.settle();
  file->acknowledge(7);
  bench.settle();
  CHECK(file->ended);
  auto again = bench.connect("jsonl", SinkKind::jsonl);
  bench.settle();
  again->hello(0, false);
  bench.push(3);
  bench.settle([&] { return again->got.size() >= 3 - 1 + 1; });
  CHECK(again->got == range(1, 3));
}

TEST_CASE("an event larger than a batch goes alone") {
  Bench bench(32 << 20);
  auto file = bench.connect("jsonl", SinkKind::jsonl);
  bench.fanout.expect_no_more_sinks();
  file->hello(0, false);
  bench.settle();
  bench.push(1, 9 << 20);
  bench.push(3, 300 << 10);
  bench.settle([&] { return file->got.size() >= 4 - 1 + 1; });
  CHECK(file->got == range(1, 4));
}
