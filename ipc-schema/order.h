// Orders: the fixed-size messages between the launcher and everybody it starts, and between the
// command line and the launcher. Privileged processes read them, so they are plain structs of one
// size with at most one descriptor, over AF_UNIX SOCK_SEQPACKET: nothing is parsed.
//
// Descriptors pass on one channel in one direction: channels are made in pairs where both sides
// have some to pass (the helper's `orders` and `store`).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/owned-fd.h"
#include "base/result.h"

namespace oisp {

enum class OrderKind : std::uint32_t {
  none = 0,
  // command line -> launcher (descriptors: command line -> launcher)
  watch = 1,   // value: pid to watch with its descendants; detail: 1 if its exec is still to come
  output = 2,  // fd: where a sink writes; detail: SinkKind; value: SinkFlag bits
  file = 3,    // fd: a regular file to probe before anything starts (libssl, CMD's own program)
  config = 4,  // name: key, text: value (scope, command, option of a sink)
  begin = 5,   // all has been said: start
  finish = 6,  // CMD ended (value: wait status) or the user asked to stop (detail: 1): drain and end
  // launcher -> command line (no descriptors)
  ready = 16,   // probes are in place; also helper -> launcher and collector -> launcher
  failed = 17,  // detail: exit status for the user; text: a sentence with what to do
  notice = 18,  // text: a sentence the user should see (a role died and was started again)
  done = 19,    // everything is delivered and nothing is left
  // launcher -> roles (descriptors: launcher -> role)
  helper = 32,     // to collector: fd of a new connection with the helper
  collector = 33,  // to helper, exporter: fd of a new connection with the collector
  opener = 34,     // to helper: fd of a new connection with the file-opener
  scanner = 35,    // to helper: fd of a connection to a fresh elf-scanner
  adopt = 36,      // to helper: name, fd of what an earlier helper stored; to collector: fd of memory for later ones
  sink = 37,       // to collector: fd of a new connection with an exporter; name: sink; detail: SinkKind
  drain = 38,      // to helper: send all that is in the ring, then say `drained` to the collector
  // helper -> launcher, on the store channel (descriptors: helper -> launcher)
  keep = 48,     // value: key, fd: hold this for the next helper; several may share a key
  forget = 49,   // value: key: no longer
  scan = 50,     // fd: start an elf-scanner on this end of a connection
  held = 51,          // value: tgid stopped by the kernel program; also launcher -> command line
  release = 52,       // value: tgid whose files are probed: continue it; also launcher -> command line
};

enum class SinkKind : std::int32_t { jsonl = 1, terminal = 2 };
// Bits of Order::value of `output` and `sink`.
inline constexpr std::uint64_t kSinkIsFile = 1;  // regular file: resume after the last line in it
inline constexpr std::uint64_t kSinkHold = 2;    // show at the end (CMD has the terminal)
inline constexpr std::uint64_t kSinkColour = 4;
inline constexpr std::uint64_t kSinkAfterFile = 8;  // show an event only once the file has it

// One size on the wire; strings are NUL-terminated or fill the array.
struct Order {
  OrderKind kind = OrderKind::none;
  std::int32_t detail = 0;
  std::uint64_t value = 0;
  char name[64] = {};
  char text[1936] = {};

  [[nodiscard]] std::string_view name_view() const;
  [[nodiscard]] std::string_view text_view() const;
  // Cuts what does not fit.
  void set_name(std::string_view name);
  void set_text(std::string_view text);
};
static_assert(sizeof(Order) == 2016);

struct ReceivedOrder {
  Order order;
  OwnedFd fd;
};

// Sends one order; `fd` stays the caller's (-1: none). Waits while the peer's queue is full, unless
// the socket is non-blocking (then errno is EAGAIN).
Status send_order(int socket, const Order& order, int fd = -1);

// Receives one order: nothing when the peer is gone. A message of another size, or with more than
// one descriptor, is a fault and all its descriptors are closed.
Result<std::optional<ReceivedOrder>> receive_order(int socket);

// A connected pair of SOCK_SEQPACKET sockets, close-on-exec.
struct SocketPair {
  OwnedFd a;
  OwnedFd b;
};
Result<SocketPair> make_order_pair();
// The same as SOCK_STREAM with a send buffer of `send_buffer_bytes` each way (0: the default).
Result<SocketPair> make_stream_pair(int send_buffer_bytes);

// Where a role finds what its launcher gave it.
inline constexpr int kOrdersFd = 3;  // every role
inline constexpr int kStoreFd = 4;   // the helper alone
// The helper alone: what was kept under a key below kMostParts lies at kFirstPartFd + key.
inline constexpr int kFirstPartFd = 5;
inline constexpr std::uint64_t kMostParts = 32;

}  // namespace oisp
