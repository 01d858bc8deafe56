// The kernel side and the probe-helper together, against a program whose every byte is known.
#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <map>
#include <thread>

#include "tests/catch.h"
#include "tests/kernel/watched.h"

namespace oisp::test {
namespace {

constexpr std::size_t kMaxCapture = (1 << 20) + (64 << 10);
constexpr std::size_t kSizes[] = {
    1, 255, 256, 257, 1024, 1025, 4096, 4097, 16384, 16385, 70000, (1 << 20) + 5000, kMaxCapture, kMaxCapture + 5000};

char pattern(std::size_t offset) { return static_cast<char>(offset * 31 + offset / 251); }

// A port on loopback.
struct Listener {
  Listener() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    socket = OwnedFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(socket.get(), 8) == 0);
    REQUIRE(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port = ntohs(address.sin_port);
  }
  void close() { socket.reset(); }

  OwnedFd socket;
  std::uint16_t port = 0;
};

// Reads one connection to its end, and only then answers.
constexpr std::size_t kAnswerBytes = 1000;
void answer_one(int listener) {
  const OwnedFd peer(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
  const std::string answer(kAnswerBytes, 'a');
  char bytes[64];
  while (::read(peer.get(), bytes, sizeof bytes) > 0) continue;
  (void)::send(peer.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
}

// All chunks of one direction, put together; fails at any gap, overlap or wrong byte.
std::vector<std::size_t> check_stream(const std::vector<const Record*>& records, unsigned direction) {
  std::vector<std::size_t> calls;
  std::size_t offset = 0;
  std::size_t in_call = 0;
  for (const Record* record : records) {
    const auto* data = record->as<oisp_tls_data>();
    if (data->direction != direction) continue;
    REQUIRE((data->header.flags & OISP_FLAG_FAULT) == 0);
    REQUIRE(data->stream_offset == offset);
    REQUIRE(data->call_offset == in_call);
    REQUIRE(((data->header.flags & OISP_FLAG_FIRST_OF_CALL) != 0) == (in_call == 0));
    for (std::size_t i = 0; i < data->payload_length; ++i) {
      if (static_cast<char>(data->payload[i]) != pattern(offset + in_call + i)) {
        FAIL("wrong byte at " << offset + in_call + i);
      }
    }
    in_call += data->payload_length;
    if ((data->header.flags & OISP_FLAG_LAST_OF_CALL) != 0) {
      REQUIRE(in_call == std::min<std::size_t>(data->call_length, kMaxCapture));
      REQUIRE(((data->header.flags & OISP_FLAG_CUT) != 0) == (data->call_length > kMaxCapture));
      calls.push_back(data->call_length);
      offset += data->call_length;
      in_call = 0;
    }
  }
  REQUIRE(in_call == 0);
  return calls;
}

}  // namespace

TEST_CASE("every byte of every call is recorded, once") {
  Watched watched({"calls"});
  watched.run();
  const auto data = watched.rig.of_kind(OISP_KIND_TLS_DATA);
  const std::vector<std::size_t> wanted(std::begin(kSizes), std::end(kSizes));
  CHECK(check_stream(data, OISP_DIRECTION_READ) == wanted);
  // The last write is one by the form that gives its count through a pointer.
  std::vector<const Record*> writes(data);
  REQUIRE(writes.back()->as<oisp_tls_data>()->call_length == 10);
  writes.pop_back();
  CHECK(check_stream(writes, OISP_DIRECTION_WRITE) == wanted);
  for (const Record* record : data) {
    CHECK(record->as<oisp_tls_data>()->asked >= record->as<oisp_tls_data>()->call_length);
  }
  check_complete(watched.rig);
}

TEST_CASE("what lies behind two pointers is recorded where it is taken") {
  Watched watched({"takes"});
  watched.run();
  const std::vector<std::size_t> wanted(std::begin(kSizes), std::end(kSizes));
  CHECK(check_stream(watched.rig.of_kind(OISP_KIND_TLS_DATA), OISP_DIRECTION_READ) == wanted);
  check_complete(watched.rig);
}

TEST_CASE("records are told apart by the boxes of their keys") {
  Watched watched({"records"});
  watched.run();
  const Rig& rig = watched.rig;
  std::map<std::uint64_t, std::vector<const Record*>> sessions;
  for (const Record* record : rig.of_kind(OISP_KIND_TLS_DATA)) {
    sessions[record->as<oisp_tls_data>()->session].push_back(record);
  }
  REQUIRE(sessions.size() == 2);
  using Sizes = std::vector<std::size_t>;
  // A slice is a call of its own.
  CHECK(check_stream(sessions.begin()->second, OISP_DIRECTION_READ) == Sizes{50, 16384, 300, 2});
  CHECK(check_stream(sessions.begin()->second, OISP_DIRECTION_WRITE) == Sizes{1000, 8192, 8192, 2048, 2049, 1});
  CHECK(check_stream(sessions.rbegin()->second, OISP_DIRECTION_READ) == Sizes{5000});
  CHECK(check_stream(sessions.rbegin()->second, OISP_DIRECTION_WRITE) == Sizes{77});
  std::vector<std::pair<std::uint64_t, unsigned>> events;
  for (const Record* record : rig.of_kind(OISP_KIND_TLS_SESSION)) {
    events.emplace_back(record->as<oisp_tls_session>()->session, record->as<oisp_tls_session>()->event);
  }
  const std::uint64_t first = sessions.begin()->first;
  const std::uint64_t second = sessions.rbegin()->first;
  CHECK(events == std::vector<std::pair<std::uint64_t, unsigned>>{{first, OISP_SESSION_NEW},
                                                                  {second, OISP_SESSION_NEW},
                                                                  {second, OISP_SESSION_SHUTDOWN},
                                                                  {first, OISP_SESSION_SHUTDOWN}});
  check_complete(rig);
}

TEST_CASE("a session's life is told in order") {
  Watched watched({"calls"});
  watched.run();
  std::vector<std::pair<unsigned, long>> events;
  for (const Record* record : watched.rig.of_kind(OISP_KIND_TLS_SESSION)) {
    const auto* session = record->as<oisp_tls_session>();
    events.emplace_back(session->event, session->result);
    if (session->event != OISP_SESSION_NAME) continue;
    const auto* name = reinterpret_cast<const char*>(session->name);
    CHECK(std::string(name, session->name_length) == "model.example");
  }
  const std::vector<std::pair<unsigned, long>> wanted = {{OISP_SESSION_HANDSHAKE, -1},
                                                         {OISP_SESSION_HANDSHAKE, 1},
                                                         {OISP_SESSION_NAME, 0},
                                                         {OISP_SESSION_FD, 77},
                                                         {OISP_SESSION_FREE, 0}};
  CHECK(events == wanted);
}

TEST_CASE("one thread may write while another reads") {
  Watched watched({"threads"});
  watched.run();
  const auto data = watched.rig.of_kind(OISP_KIND_TLS_DATA);
  const std::vector<std::size_t> wanted(3000, 700);
  CHECK(check_stream(data, OISP_DIRECTION_READ) == wanted);
  CHECK(check_stream(data, OISP_DIRECTION_WRITE) == wanted);
  check_complete(watched.rig);
}

TEST_CASE("the tree of processes is exact") {
  Watched watched({"tree"});
  watched.run();
  const Rig& rig = watched.rig;
  const auto forks = rig.of_kind(OISP_KIND_PROCESS_FORK);
  const auto execs = rig.of_kind(OISP_KIND_PROCESS_EXEC);
  REQUIRE(forks.size() == 2);
  const auto* child = forks[0]->as<oisp_process_fork>();
  const auto* grandchild = forks[1]->as<oisp_process_fork>();
  CHECK(child->header.tgid == watched.target.tgid());
  CHECK(grandchild->header.tgid == child->child_tgid);
  CHECK(grandchild->header.start_ns == child->child_start_ns);
  REQUIRE(execs.size() == 1);
  const auto* exec = execs[0]->as<oisp_process_exec>();
  CHECK(exec->header.tgid == child->child_tgid);
  CHECK(exec->parent_tgid == watched.target.tgid());
  CHECK(exec->header.exec_count == child->child_exec_count + 1);
  const auto* text = reinterpret_cast<const char*>(exec->text);
  char cwd[512];
  CHECK(std::string(text, exec->path_length).starts_with("/usr/bin/"));
  CHECK(std::string(text + exec->path_length, exec->cwd_length) == ::getcwd(cwd, sizeof cwd));
  const std::string wanted_argv("sh\0-c\0exit $0\0005\0", 16);
  CHECK(std::string(text + exec->path_length + exec->cwd_length, exec->argv_length) == wanted_argv);
  std::map<std::uint32_t, std::uint32_t> codes;
  for (const Record* record : rig.of_kind(OISP_KIND_PROCESS_EXIT)) {
    CHECK(codes.emplace(record->header().tgid, record->as<oisp_process_exit>()->exit_code).second);
  }
  const std::map<std::uint32_t, std::uint32_t> wanted = {
      {watched.target.tgid(), 0}, {child->child_tgid, 5 << 8}, {grandchild->child_tgid, 7 << 8}};
  CHECK(codes == wanted);
  check_complete(rig);
}

TEST_CASE("what ran before the watch is found") {
  Watched watched({"tree"});
  watched.run();
  const auto found = watched.rig.of_kind(OISP_KIND_PROCESS_FOUND);
  REQUIRE(found.size() == 1);
  const auto* process = found[0]->as<oisp_process_exec>();
  CHECK(process->header.tgid == watched.target.tgid());
  CHECK(process->parent_tgid == static_cast<std::uint32_t>(::getpid()));
  const auto* text = reinterpret_cast<const char*>(process->text);
  CHECK(std::string(text, process->path_length) == built_file("test-kernel-target"));
  const std::size_t before_argv = process->path_length + process->cwd_length;
  CHECK(std::string(text + before_argv, process->argv_length) ==
        std::string(built_file("test-kernel-target")) + std::string("\0tree\0", 6));
}

TEST_CASE("a process that brings a new library waits for its probes") {
  Target target({"new-program"});
  Rig rig;
  rig.start_helper(target.tgid(), config(), true);
  rig.grant(4 << 20);
  REQUIRE(rig.serve_until([&] { return rig.is_ready() || !rig.failure().empty(); }));
  target.go();
  REQUIRE(rig.serve_until([&] { return target.has_ended(); }));
  CHECK(target.finish() == 0);
  rig.order_drain();
  REQUIRE(rig.serve_until([&] { return rig.is_drained(); }));
  CHECK(rig.stops() >= 2);  // for the program and for the library
  CHECK(rig.of_kind(OISP_KIND_PROCESS_FOUND).empty());
  const std::vector<std::size_t> wanted(std::begin(kSizes), std::end(kSizes));
  CHECK(check_stream(rig.of_kind(OISP_KIND_TLS_DATA), OISP_DIRECTION_READ) == wanted);
  CHECK(rig.of_kind(OISP_KIND_TLS_SESSION).size() == 5);
  check_complete(rig);
}

TEST_CASE("connections are told of, with their bytes, and the session on one of them is tied to it") {
  const Listener listener;
  constexpr std::uint64_t kSent = 22 + 3 * 5;
  std::thread server([&listener] { answer_one(listener.socket.get()); });
  Listener closed;
  const std::uint16_t closed_port = closed.port;
  closed.close();
  Watched watched({"sockets", std::to_string(listener.port), std::to_string(closed_port)});
  watched.run();
  server.join();
  const Rig& rig = watched.rig;
  std::map<std::uint16_t, std::vector<std::pair<unsigned, unsigned>>> states;
  std::map<std::uint16_t, std::uint64_t> cookies;
  for (const Record* record : rig.of_kind(OISP_KIND_CONNECTION)) {
    const auto* connection = record->as<oisp_connection>();
    states[connection->remote_port].emplace_back(connection->state, connection->error);
    cookies[connection->remote_port] = connection->connection;
    CHECK(connection->header.tgid == watched.target.tgid());
    CHECK(connection->family == AF_INET);
    const std::uint8_t loopback[] = {127, 0, 0, 1};
    CHECK(std::memcmp(connection->remote_address, loopback, 4) == 0);
    const bool is_over = connection->state == OISP_CONNECTION_CLOSED;
    CHECK(connection->sent == (is_over ? kSent : 0));
    CHECK(connection->received == (is_over ? kAnswerBytes : 0));
  }
  using States = std::vector<std::pair<unsigned, unsigned>>;
  CHECK(states[listener.port] ==
        States{{OISP_CONNECTION_BEGIN, 0}, {OISP_CONNECTION_ESTABLISHED, 0}, {OISP_CONNECTION_CLOSED, 0}});
  CHECK(states[closed_port] == States{{OISP_CONNECTION_BEGIN, 0}, {OISP_CONNECTION_FAILED, ECONNREFUSED}});
  const auto hellos = rig.of_kind(OISP_KIND_CLIENT_HELLO);
  const auto sockets = rig.of_kind(OISP_KIND_TLS_SOCKET);
  if (!rig.is_missing("sock_send_length")) {
    REQUIRE(hellos.size() == 1);
    CHECK(hellos[0]->as<oisp_client_hello>()->connection == cookies[listener.port]);
    CHECK(hellos[0]->as<oisp_client_hello>()->payload_length == 22);
    CHECK(hellos[0]->as<oisp_client_hello>()->payload[0] == 0x16);
    REQUIRE(sockets.size() == 1);
    CHECK(sockets[0]->as<oisp_tls_socket>()->connection == cookies[listener.port]);
    CHECK(sockets[0]->as<oisp_tls_socket>()->session ==
          rig.of_kind(OISP_KIND_TLS_DATA)[0]->as<oisp_tls_data>()->session);
  }
  check_complete(rig);
}

TEST_CASE("a killed helper loses neither probes nor records") {
  Watched watched({"steadily"});
  Rig& rig = watched.rig;
  const std::size_t kept = rig.kept();
  watched.target.go();
  for (int life = 0; life < 5; ++life) {
    const std::size_t had = rig.of_kind(OISP_KIND_TLS_DATA).size();
    REQUIRE(rig.serve_until([&] { return rig.of_kind(OISP_KIND_TLS_DATA).size() > had + 100; }));
    rig.kill_helper();
    rig.start_helper(watched.target.tgid(), config());
    rig.grant(4 << 20);
    REQUIRE(rig.serve_until([&] { return rig.is_ready(); }));
  }
  CHECK(rig.kept() == kept);
  REQUIRE(rig.serve_until([&] { return rig.of_kind(OISP_KIND_TLS_DATA).size() == 4000; }));
  int number = 0;
  for (const Record* record : rig.of_kind(OISP_KIND_TLS_DATA)) {
    int written = -1;
    std::memcpy(&written, record->as<oisp_tls_data>()->payload, sizeof written);
    REQUIRE(written == number++);
  }
  watched.target.finish();
  watched.drain();
  check_complete(rig);
}

TEST_CASE("an order out of its place ends the helper") {
  for (const OrderKind kind : {OrderKind::watch, OrderKind::begin, OrderKind::collector, OrderKind::keep}) {
    Watched watched({"calls"});
    CHECK(watched.rig.order_ends_it(kind));
  }
}

TEST_CASE("a collector that sends garbage harms nothing") {
  Watched watched({"steadily"});
  Rig& rig = watched.rig;
  watched.target.go();
  rig.send_to_helper(std::vector<std::byte>(1000, static_cast<std::byte>(0xee)));
  REQUIRE(rig.serve_until([&] { return rig.collector_closed(); }));
  rig.connect_collector();
  rig.grant(4 << 20);
  REQUIRE(rig.serve_until([&] { return rig.of_kind(OISP_KIND_TLS_DATA).size() == 4000; }));
  CHECK(watched.is_probed());
  watched.target.finish();
  watched.drain();
  check_complete(rig);
}

TEST_CASE("a collector that stops reading blocks nobody, and what is lost is counted") {
  Watched watched({"threads"}, "1000000");
  Rig& rig = watched.rig;
  CHECK(rig.ring_bytes() == 1 << 20);  // the next power of two
  rig.collector_reads = false;
  watched.target.go();
  REQUIRE(rig.serve_until([&] { return watched.target.has_ended(); }));
  rig.collector_reads = true;
  watched.drain();
  CHECK(rig.counters().dropped[OISP_FAMILY_TLS] > 0);
  CHECK(rig.of_kind(OISP_KIND_TLS_DATA).size() + rig.counters().dropped[OISP_FAMILY_TLS] == 6000);
}

}  // namespace oisp::test
