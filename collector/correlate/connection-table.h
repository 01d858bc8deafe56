// The TCP connections of watched processes, and what is known of the TLS, or the plain HTTP, on them.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "collector/correlate/process-table.h"
#include "collector/intake/record.h"

namespace oisp {

// An address as text and a port.
struct Address {
  std::string ip;
  std::uint16_t port = 0;
};

// How sure it is that a stream runs on a connection; the words are those of event.capnp.
enum class LinkConfidence { none, process, sni, socket };
std::string_view link_word(LinkConfidence confidence);

// What became of the plaintext of the stream on a connection.
enum class StreamVerdict { none, read, not_http, joined_late, distrusted };

struct Connection {
  std::uint64_t cookie = 0;
  ProcessKey owner;
  Address local;
  Address remote;
  std::uint64_t begin_ns = 0;
  std::uint64_t established_ns = 0;
  bool outcome_told = false;
  bool hello_seen = false;
  std::uint64_t hello_ns = 0;
  std::string server_name;
  bool closed = false;
  std::uint64_t owner_ended_ns = 0;  // its process, before this one was told to be closed
  // How it was closed, and what TCP has moved by then; 0: that was not seen.
  std::uint64_t closed_ns = 0;
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
  // Plaintext of its streams that have ended: of all, and of the one that had most.
  bool had_stream = false;
  bool joined_late = false;
  std::uint64_t plaintext[2] = {0, 0};
  std::uint64_t largest[2] = {0, 0};
  std::uint32_t unproven_file = 0;  // of a stream that said nothing of its file
  LinkConfidence link = LinkConfidence::none;
  std::uint64_t stream = 0;                     // number of the stream, while it is open
  StreamVerdict verdict = StreamVerdict::none;  // of the stream, once it has ended
  // HTTP without TLS was looked for on it.
  bool is_plain = false;
  bool plain_read = false;
  std::uint64_t unseen_bytes = 0;  // of that
};

class ConnectionTable {
 public:
  // A change of state; nothing where the table is full of open connections.
  Connection& on_connection(const ConnectionView& view);
  Connection& on_client_hello(const ClientHelloView& view);
  [[nodiscard]] Connection* find(std::uint64_t cookie);
  // The connection of a process that a stream without a socket most likely runs on: the earliest one
  // with that server name, else, where `name` is empty, the earliest. Only unlinked ones with TLS on them; where
  // that cannot be seen, also the only one that there is.
  Connection* find_unlinked(ProcessKey owner, std::string_view name, bool hellos_are_seen);
  void forget(std::uint64_t cookie) { connections_.erase(cookie); }

  [[nodiscard]] std::uint64_t seen() const { return seen_; }
  [[nodiscard]] std::uint64_t evicted() const { return evicted_; }
  [[nodiscard]] auto begin() { return connections_.begin(); }
  [[nodiscard]] auto end() { return connections_.end(); }

 private:
  Connection& get(std::uint64_t cookie);

  std::unordered_map<std::uint64_t, Connection> connections_;
  std::uint64_t seen_ = 0;
  std::uint64_t evicted_ = 0;
};

// Where the kernel cannot show first bytes (before 6.3), port 443 stands for TLS, and so does a stream.
inline constexpr std::uint16_t kHttpsPort = 443;
inline bool carries_tls(const Connection& connection, bool hellos_are_seen) {
  if (connection.hello_seen) return true;
  return !hellos_are_seen && connection.established_ns != 0 &&
         (connection.remote.port == kHttpsPort || connection.link != LinkConfidence::none);
}

}  // namespace oisp
