// The jsonl exporter as a process: what it leaves in its file, whatever happens to it.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "exporters/common/test-collector.h"
#include "exporters/jsonl/jsonl-sink.h"
#include "ipc-schema/example-events.h"
#include "ipc-schema/order.h"
#include "ipc-schema/sink.h"
#include "tests/catch.h"

using namespace oisp;
using Kind = ExporterAnswer::Kind;

namespace {

// A file that is gone when the test is over.
class ScratchFile {
 public:
  explicit ScratchFile(const std::string& content = "") {
    fd_ = OwnedFd(::mkstemp(path_));
    REQUIRE(fd_);
    REQUIRE(::write(fd_.get(), content.data(), content.size()) == static_cast<ssize_t>(content.size()));
  }
  ~ScratchFile() { (void)::unlink(path_); }
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;

  [[nodiscard]] int fd() const { return fd_.get(); }
  void append(const std::string& bytes) const {
    const OwnedFd end(::open(path_, O_WRONLY | O_APPEND | O_CLOEXEC));
    REQUIRE(::write(end.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  }
  [[nodiscard]] std::string content() const {
    std::ifstream file(path_);
    std::stringstream bytes;
    bytes << file.rdbuf();
    return bytes.str();
  }
  // The sequence in each line, to see order, gaps and repetitions at a glance.
  [[nodiscard]] std::vector<std::uint64_t> sequences(std::size_t skip_bytes = 0) const {
    std::istringstream lines(content().substr(skip_bytes));
    std::vector<std::uint64_t> found;
    for (std::string line; std::getline(lines, line);) {
      const std::string key = "\"sequence\":";
      REQUIRE(line.front() == '{');
      REQUIRE(line.back() == '}');
      found.push_back(std::stoull(line.substr(line.find(key) + key.size())));
    }
    return found;
  }

 private:
  char path_[32] = "/tmp/oisp-jsonl-test-XXXXXX";
  OwnedFd fd_;
};

void build(std::uint64_t sequence, schema::Event::Builder event) {
  build_example_event(sequence % kExampleCount, event);
}

std::vector<std::uint64_t> range(std::uint64_t first, std::uint64_t last) {
  std::vector<std::uint64_t> numbers;
  for (std::uint64_t i = first; i <= last; ++i) numbers.push_back(i);
  return numbers;
}

void expect_hello(TestCollector& collector, bool has_kept, std::uint64_t kept) {
  collector.send_hello();
  const ExporterAnswer hello = collector.receive();
  REQUIRE(hello.kind == Kind::hello);
  CHECK(hello.has_kept == has_kept);
  CHECK(hello.sequence == kept);
}

void expect_acknowledged(TestCollector& collector, std::uint64_t sequence) {
  const ExporterAnswer answer = collector.receive();
  REQUIRE(answer.kind == Kind::acknowledge);
  CHECK(answer.sequence == sequence);
}

}  // namespace

TEST_CASE("events become lines, each is acknowledged, and finish ends the exporter") {
  const ScratchFile file;
  TestCollector collector(kJsonlExporter, file.fd(), kSinkIsFile, {});
  expect_hello(collector, false, 0);
  collector.send_batch(1, 20, build);
  expect_acknowledged(collector, 20);
  collector.send_batch(21, 1, build);
  expect_acknowledged(collector, 21);
  collector.send_finish();
  expect_acknowledged(collector, 21);
  CHECK(collector.wait() == 0);
  CHECK(file.sequences() == range(1, 21));
}

TEST_CASE("a killed exporter's successor goes on after the last whole line") {
  const std::string earlier = "an earlier recording, without a line feed";
  const ScratchFile file(earlier);
  const TestCollector::Config config = {{"output_start", std::to_string(earlier.size())}};
  {
    TestCollector collector(kJsonlExporter, file.fd(), kSinkIsFile, config);
    expect_hello(collector, false, 0);
    collector.send_batch(1, 7, build);
    expect_acknowledged(collector, 7);
    REQUIRE(::kill(collector.pid(), SIGKILL) == 0);
    CHECK(WIFSIGNALED(collector.wait()));
  }
  file.append("{\"oisp_version\":\"0.1\",\"event_id\":\"half a li");
  TestCollector collector(kJsonlExporter, file.fd(), kSinkIsFile, config);
  expect_hello(collector, true, 7);
  collector.send_batch(5, 6, build);  // 5 to 7 are there already
  expect_acknowledged(collector, 10);
  CHECK(file.content().substr(0, earlier.size()) == earlier);
  CHECK(file.sequences(earlier.size()) == range(1, 10));
}

TEST_CASE("a new collector is told what is kept, and what it sends again is not written again") {
  const ScratchFile file;
  TestCollector collector(kJsonlExporter, file.fd(), kSinkIsFile, {{"output_start", "0"}});
  expect_hello(collector, false, 0);
  collector.send_batch(1, 3, build);
  collector.reconnect();  // before the acknowledgement is read
  expect_hello(collector, true, 3);
  collector.send_batch(2, 4, build);
  expect_acknowledged(collector, 5);
  CHECK(file.sequences() == range(1, 5));
}

TEST_CASE("what nobody waits for is acknowledged together, and soon") {
  const ScratchFile file;
  TestCollector collector(kJsonlExporter, file.fd(), kSinkIsFile, {});
  expect_hello(collector, false, 0);
  for (std::uint64_t first = 1; first <= 19; first += 3) collector.send_batch(first, 3, build, false);
  ExporterAnswer answer = collector.receive();
  while (answer.kind == Kind::acknowledge && answer.sequence < 21) answer = collector.receive();
  CHECK(answer.kind == Kind::acknowledge);
  CHECK(answer.sequence == 21);
  CHECK(file.sequences() == range(1, 21));
  collector.send_batch(22, 1, build, false);
  collector.send_finish();
  expect_acknowledged(collector, 22);
  CHECK(collector.wait() == 0);
}

TEST_CASE("a full disk is said with the last whole event") {
  const ScratchFile file;
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  rlimit tight = before;
  tight.rlim_cur = 6000;
  const auto ignored = ::signal(SIGXFSZ, SIG_IGN);
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &tight) == 0);
  TestCollector collector(kJsonlExporter, file.fd(), kSinkIsFile, {});
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
  (void)::signal(SIGXFSZ, ignored);

  expect_hello(collector, false, 0);
  collector.send_batch(1, 2, build);
  expect_acknowledged(collector, 2);
  collector.send_batch(3, 10, build);
  const ExporterAnswer failed = collector.receive();
  REQUIRE(failed.kind == Kind::failed);
  CHECK(failed.error == EFBIG);
  CHECK(failed.sequence > 2);
  CHECK(failed.sequence < 12);
  CHECK(file.content().back() == '\n');
  CHECK(file.sequences() == range(1, failed.sequence));
  // It stays failed, for the next collector too, and still ends in order.
  collector.reconnect();
  expect_hello(collector, true, failed.sequence);
  CHECK(collector.receive().kind == Kind::failed);
  collector.send_finish();
  CHECK(collector.wait() == 0);
}

TEST_CASE("a pipe whose reader is gone ends the sink, not the process") {
  int fds[2];
  REQUIRE(::pipe2(fds, O_CLOEXEC) == 0);
  OwnedFd reader(fds[0]);
  const OwnedFd writer(fds[1]);
  TestCollector collector(kJsonlExporter, writer.get(), 0, {});
  expect_hello(collector, false, 0);
  collector.send_batch(1, 1, build);
  expect_acknowledged(collector, 1);
  reader.reset();
  collector.send_batch(2, 1, build);
  const ExporterAnswer failed = collector.receive();
  CHECK(failed.kind == Kind::failed);
  CHECK(failed.error == EPIPE);
  CHECK(failed.sequence == 1);
}

TEST_CASE("a pipe that nobody reads holds the exporter no longer than the session") {
  int fds[2];
  REQUIRE(::pipe2(fds, O_CLOEXEC) == 0);
  const OwnedFd reader(fds[0]);
  const OwnedFd writer(fds[1]);
  TestCollector collector(kJsonlExporter, writer.get(), 0, {});
  expect_hello(collector, false, 0);
  collector.send_batch(1, 200, build);
  collector.end_session();
  CHECK(collector.wait() == 0);
}

TEST_CASE("lines for a terminal that the command has come at the end") {
  const ScratchFile file;
  TestCollector collector(kJsonlExporter, file.fd(), kSinkHold, {});
  expect_hello(collector, false, 0);
  collector.send_batch(1, 3, build);
  expect_acknowledged(collector, 3);
  CHECK(file.content() == "");
  collector.send_finish();
  expect_acknowledged(collector, 3);
  CHECK(collector.wait() == 0);
  CHECK(file.sequences() == range(1, 3));
}

TEST_CASE("an exporter ends with its session") {
  const ScratchFile file;
  TestCollector collector(kJsonlExporter, file.fd(), kSinkIsFile, {});
  expect_hello(collector, false, 0);
  collector.end_session();
  CHECK(collector.wait() == 0);
}

TEST_CASE("a malformed message ends the exporter with a reason, within its sandbox") {
  for (const std::string& bytes : {std::string(64, '\xff'), std::string(8, '\0') + std::string(8, '\xff'),
                                   std::string("\0\0\0\0\1\0\0\0", 8) + std::string(8, '\0')}) {
    const ScratchFile file;
    TestCollector collector(kJsonlExporter, file.fd(), kSinkIsFile, {});
    expect_hello(collector, false, 0);
    collector.send_bytes(bytes);
    const int status = collector.wait();
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 1);
  }
}

TEST_CASE("a large event passes whole") {
  const ScratchFile file;
  TestCollector collector(kJsonlExporter, file.fd(), kSinkIsFile, {});
  expect_hello(collector, false, 0);
  const std::string body(9 << 20, 'x');
  collector.send_batch(
      1, 1, [&](std::uint64_t, schema::Event::Builder event) { event.getData().initToolResult().setResult(body); });
  expect_acknowledged(collector, 1);
  CHECK(file.content().size() > body.size());
  collector.send_batch(2, 1, build);
  expect_acknowledged(collector, 2);
  CHECK(file.sequences() == range(1, 2));
}
