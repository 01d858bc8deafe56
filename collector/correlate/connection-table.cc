#include "collector/correlate/connection-table.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "collector/correlate/client-hello.h"
#include "collector/limits.h"

namespace oisp {
namespace {

Address address_of(std::uint16_t family, const std::uint8_t* bytes, std::uint16_t port) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (family != AF_INET && family != AF_INET6) return {.ip = {}, .port = port};
  if (::inet_ntop(family, bytes, text.data(), text.size()) == nullptr) return {.ip = {}, .port = port};
  return {.ip = text.data(), .port = port};
}

bool same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
           return (x | (x >= 'A' && x <= 'Z' ? 0x20 : 0)) == (y | (y >= 'A' && y <= 'Z' ? 0x20 : 0));
         });
}

}  // namespace

std::string_view link_word(LinkConfidence confidence) {
  switch (confidence) {
    case LinkConfidence::none:
      return "";
    case LinkConfidence::process:
      return "process";
    case LinkConfidence::sni:
      return "sni";
    case LinkConfidence::socket:
      return "socket";
  }
  return "";
}

Connection& ConnectionTable::get(std::uint64_t cookie) {
  const auto found = connections_.find(cookie);
  if (found != connections_.end()) return found->second;
  if (connections_.size() >= limits::kMostConnections) {
    ++evicted_;
    connections_.erase(connections_.begin());
  }
  ++seen_;
  Connection& connection = connections_[cookie];
  connection.cookie = cookie;
  return connection;
}

Connection& ConnectionTable::on_connection(const ConnectionView& view) {
  const oisp_connection& fixed = *view.fixed;
  Connection& connection = get(fixed.connection);
  if (connection.owner == ProcessKey{}) connection.owner = process_of(fixed.header);
  // The local address is known once the route is; a failed connection has lost it again.
  if (connection.local.port == 0 || connection.local.ip.empty()) {
    connection.local = address_of(fixed.family, fixed.local_address, fixed.local_port);
  }
  if (connection.remote.port == 0)
    connection.remote = address_of(fixed.family, fixed.remote_address, fixed.remote_port);
  if (fixed.state == OISP_CONNECTION_BEGIN) connection.begin_ns = fixed.header.entry_ns;
  if (fixed.state == OISP_CONNECTION_CLOSED) {
    connection.closed_ns = fixed.header.entry_ns;
    connection.sent = fixed.sent;
    connection.received = fixed.received;
  }
  if (fixed.state == OISP_CONNECTION_ESTABLISHED) {
    connection.established_ns = fixed.header.entry_ns;
    connection.local = address_of(fixed.family, fixed.local_address, fixed.local_port);
  }
  return connection;
}

Connection& ConnectionTable::on_client_hello(const ClientHelloView& view) {
  Connection& connection = get(view.fixed->connection);
  if (connection.owner == ProcessKey{}) connection.owner = process_of(view.fixed->header);
  const auto hello = decode_client_hello(view.payload);
  if (!hello || connection.hello_seen) return connection;
  connection.hello_seen = true;
  connection.hello_ns = view.fixed->header.entry_ns;
  connection.server_name = hello.value().server_name;
  return connection;
}

Connection* ConnectionTable::find(std::uint64_t cookie) {
  const auto found = connections_.find(cookie);
  return found == connections_.end() ? nullptr : &found->second;
}

Connection* ConnectionTable::find_unlinked(ProcessKey owner, std::string_view name, bool hellos_are_seen) {
  Connection* best = nullptr;
  Connection* other = nullptr;
  unsigned others = 0;
  for (auto& [cookie, connection] : connections_) {
    if (connection.link != LinkConfidence::none || !(connection.owner == owner)) continue;
    if (!name.empty() && !same_name(name, connection.server_name)) continue;
    if (!carries_tls(connection, hellos_are_seen)) {
      if (hellos_are_seen || connection.established_ns == 0) continue;
      other = &connection;
      ++others;
    } else if (best == nullptr || connection.begin_ns < best->begin_ns) {
      best = &connection;
    }
  }
  return best == nullptr && others == 1 ? other : best;
}

}  // namespace oisp
