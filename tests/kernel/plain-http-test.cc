// HTTP without TLS: what the kernel side takes of the sockets of a program whose every byte is known.
#include <cstring>
#include <string>

#include "tests/kernel/plain-sockets.h"
#include "tests/kernel/watched.h"

namespace oisp::test {
namespace {

constexpr char kUnseen = '?';

struct Stream {
  std::uint64_t cookie = 0;
  std::string bytes[2];  // by direction, with kUnseen for each byte that nobody looked at
  std::uint64_t unseen[2] = {0, 0};
  unsigned ends = 0;
};

// All streams of sockets, in the order of their beginnings; fails at any gap or overlap.
std::vector<Stream> plain_streams(const Rig& rig, std::uint32_t tgid) {
  std::vector<Stream> streams;
  std::map<std::uint64_t, std::size_t> places;
  std::set<std::uint64_t> connections;
  for (const Record& record : rig.records()) {
    const unsigned kind = record.header().kind;
    if (kind == OISP_KIND_CONNECTION) connections.insert(record.as<oisp_connection>()->connection);
    if (kind == OISP_KIND_TLS_SESSION) {
      const auto* session = record.as<oisp_tls_session>();
      REQUIRE((session->session & OISP_SESSION_IS_SOCKET) != 0);
      if (session->event == OISP_SESSION_NEW) {
        REQUIRE(places.emplace(session->session, streams.size()).second);
        streams.emplace_back();
      } else {
        REQUIRE(session->event == OISP_SESSION_SHUTDOWN);
        ++streams[places.at(session->session)].ends;
      }
    }
    if (kind == OISP_KIND_TLS_SOCKET) {
      const auto* socket = record.as<oisp_tls_socket>();
      CHECK(connections.contains(socket->connection));
      CHECK(socket->session == (OISP_SESSION_IS_SOCKET | socket->connection));
      streams[places.at(socket->session)].cookie = socket->connection;
    }
    if (kind != OISP_KIND_TLS_DATA) continue;
    const auto* data = record.as<oisp_tls_data>();
    if (data->header.tgid != tgid) continue;
    Stream& stream = streams[places.at(data->session)];
    std::string& bytes = stream.bytes[data->direction];
    REQUIRE(data->stream_offset + data->call_offset == bytes.size());
    if ((data->header.flags & OISP_FLAG_UNSEEN) != 0) {
      REQUIRE(data->payload_length == 0);
      bytes.append(data->call_length, kUnseen);
      stream.unseen[data->direction] += data->call_length;
    }
    bytes.append(reinterpret_cast<const char*>(data->payload), data->payload_length);
  }
  return streams;
}

std::string said(char side, std::size_t size) {
  std::string bytes;
  for (std::size_t i = 0; i < size; ++i) bytes += plain_byte(side, i);
  return bytes;
}

// False where this kernel has no hook that shows sockets' bytes: then there is nothing, and it is said.
bool sees_sockets(const Rig& rig) {
  bool sees = !rig.is_missing("sock_send_length");
  for (const Record* record : rig.of_kind(OISP_KIND_CONNECTION)) {
    if (record->as<oisp_connection>()->plain_unseen != 0) sees = false;
  }
  if (sees) return true;
  CHECK(rig.of_kind(OISP_KIND_TLS_DATA).empty());
  return false;
}

}  // namespace

TEST_CASE("plain HTTP is recorded whole, by whatever call it passes") {
  Watched watched({"plain", "calls"});
  watched.run();
  if (!sees_sockets(watched.rig)) return;
  const auto streams = plain_streams(watched.rig, watched.target.tgid());
  REQUIRE(streams.size() == 8);  // both ends of four connections
  const std::string asked = said('q', PLAIN_ASKED);
  const std::string answered = said('a', PLAIN_ANSWERED);
  for (std::size_t i = 0; i < streams.size(); ++i) {
    CAPTURE(i);
    const bool is_client = i % 2 == 0;
    CHECK((streams[i].bytes[is_client ? OISP_DIRECTION_WRITE : OISP_DIRECTION_READ] == asked));
    CHECK((streams[i].bytes[is_client ? OISP_DIRECTION_READ : OISP_DIRECTION_WRITE] == answered));
    CHECK(streams[i].ends == 1);
    CHECK(streams[i].cookie != 0);
  }
  for (const Record* record : watched.rig.of_kind(OISP_KIND_CONNECTION)) {
    const auto* connection = record->as<oisp_connection>();
    for (std::size_t i = 0; i < streams.size(); ++i) {
      if (streams[i].cookie == connection->connection) CHECK(connection->found == i % 2);
    }
  }
  CHECK(watched.rig.counters().unseen_calls == 0);
  check_complete(watched.rig);
}

TEST_CASE("what passes in calls that are not looked into is named, and in its place") {
  Watched watched({"plain", "unseen"});
  watched.run();
  if (!sees_sockets(watched.rig)) return;
  const auto streams = plain_streams(watched.rig, watched.target.tgid());
  REQUIRE(streams.size() == 2);
  const std::string known = said('a', 3 * PLAIN_UNSEEN);
  const std::string sent = known.substr(0, 100) + std::string(2 * PLAIN_UNSEEN, kUnseen) + known.substr(0, 100);
  CHECK((streams[1].bytes[OISP_DIRECTION_WRITE] == sent));
  CHECK(streams[0].unseen[OISP_DIRECTION_READ] == 100);
  const std::string got =
      std::string(100, kUnseen) + known.substr(0, PLAIN_UNSEEN) + known.substr(0, PLAIN_UNSEEN) + known.substr(0, 100);
  CHECK((streams[0].bytes[OISP_DIRECTION_READ] == got));
  CHECK(watched.rig.counters().unseen_calls == 0);  // those sockets were known by then
  check_complete(watched.rig);
}

TEST_CASE("one call may pass more than is captured of a TLS call") {
  Watched watched({"plain", "large"}, "16777216");
  watched.run();
  if (!sees_sockets(watched.rig)) return;
  const auto streams = plain_streams(watched.rig, watched.target.tgid());
  REQUIRE(streams.size() == 2);  // the one that reads is another process, and may be the first to have done so
  const std::string& sent = streams[0].bytes[OISP_DIRECTION_WRITE];
  CHECK(((sent.empty() ? streams[1].bytes[OISP_DIRECTION_WRITE] : sent) == said('q', PLAIN_LARGE)));
  check_complete(watched.rig);
}

TEST_CASE("sockets that carry something else are left alone") {
  Watched watched({"plain", "others"});
  watched.run();
  CHECK(watched.rig.of_kind(OISP_KIND_TLS_DATA).empty());
  CHECK(watched.rig.of_kind(OISP_KIND_TLS_SESSION).empty());
  CHECK(watched.rig.of_kind(OISP_KIND_TLS_SOCKET).empty());
  check_complete(watched.rig);
}

}  // namespace oisp::test
