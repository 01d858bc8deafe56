// Orders: the fixed-size messages between the launcher, the supervisor, the roles and the command
// line. Privileged processes read them, so they are plain structs of one size with at most one
// descriptor, over AF_UNIX SOCK_SEQPACKET: nothing is parsed.
//
// Descriptors pass on one channel in one direction: channels are made in pairs where both sides
// have some to pass (the helper's `orders` and `store`).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/owned-fd.h"
#include "base/result.h"

namespace oisp {

enum class OrderKind : std::uint32_t {
  none = 0,
  // command line -> supervisor (descriptors: command line -> supervisor)
  watch = 1,   // value: pid to watch with its descendants; detail: 1 if its exec is still to come
  output = 2,  // fd: where a sink writes; detail: SinkKind; value: SinkFlag bits
  file = 3,    // fd: a regular file to probe before anything starts (libssl, CMD's own program)
  config = 4,  // name: key, text: value (scope, command, option of a sink); value: instead, for the helper
  begin = 5,   // all has been said: start
  finish = 6,  // CMD ended (value: wait status) or the user asked to stop (detail: 1): drain and end
  // supervisor -> command line (no descriptors)
  ready = 16,   // probes are in place; also helper -> supervisor and collector -> supervisor
  failed = 17,  // detail: exit status for the user; text: a sentence with what to do. From the launcher, before
                // it starts anything, also without one: value has a bit for each capability that is missing
  notice = 18,  // text: a sentence the user should see (a role died and was started again)
  done = 19,    // from the launcher: nothing is left; detail: the supervisor's exit status
  // supervisor -> roles (descriptors: supervisor -> role)
  helper = 32,     // to collector: fd of a new connection with the helper
  collector = 33,  // to helper, exporter: fd of a new connection with the collector
  opener = 34,     // to helper: fd of a new connection with the file-opener
  adopt = 36,      // to collector: fd of memory for later ones
  sink = 37,       // to collector: fd of a new connection with an exporter; name: sink; detail: SinkKind
  drain = 38,      // to helper: send all that is in the ring, then say `drained` to the collector
  // helper -> launcher, on the store channel (descriptors: helper -> launcher)
  keep = 48,     // value: key, fd: hold this for the next helper; several may have one key
  forget = 49,   // value: key: nothing of that key any longer
  scan = 50,     // fd: descriptor 0 of a new elf-scanner, which has 10 seconds; closed where there is none
  held = 51,     // value: tgid stopped by the kernel program; also launcher -> command line
  release = 52,  // value: tgid whose files are probed: continue it; also launcher -> command line
  // supervisor -> launcher (descriptors: supervisor -> launcher)
  start = 64,  // detail: RoleKind; value: number, which nobody has; fd: the role's `orders`
  kill = 65,   // value: number of a role, which may have ended meanwhile
  // launcher -> supervisor, besides `finish` where it was asked to end by a signal
  ended = 66,  // value: number; detail: wait status, of kCouldNotStart where there was no process
};

// What the launcher can start, each with the rights of its row in launcher/role-table.
enum class RoleKind : std::uint8_t {
  collector,
  exporter_jsonl,
  exporter_terminal,
  file_opener,
  probe_helper,
  probe_helper_perf,  // for perf uprobes
  // Not by the supervisor's order:
  scanner,
  supervisor,
};
inline constexpr std::size_t kRoleKinds = 8;
// The executables, in the order of RoleKind.
inline constexpr const char* kRolePrograms[kRoleKinds] = {
    "oisp-collector",    "oisp-exporter-jsonl", "oisp-exporter-terminal", "oisp-file-opener",
    "oisp-probe-helper", "oisp-probe-helper",   "oisp-elf-scanner",       "oisp-supervisor"};
constexpr const char* program_of(RoleKind kind) { return kRolePrograms[static_cast<std::size_t>(kind)]; }

// Numbers of roles: 0 is the supervisor, which gives those from 1 on; then come scanners.
inline constexpr unsigned kFirstScannerNumber = 8;
inline constexpr unsigned kRoleNumbers = 16;
// The exit status of a child that could not become its role; it has said why on stderr.
inline constexpr int kCouldNotStart = 125;

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

// Bytes of the ring of records unless `config` "buffer_size" says otherwise, and what that may say.
inline constexpr std::uint64_t kRingBytes = 16 << 20, kLeastRingBytes = 1 << 20, kMostRingBytes = 256 << 20;

// Where a role finds what its launcher gave it.
inline constexpr int kOrdersFd = 3;  // every role
inline constexpr int kStoreFd = 4;   // the helper alone
// What is kept under a key below kMostParts (maps and programs), a new helper finds at this descriptor + key.
inline constexpr int kFirstPartFd = 5;
inline constexpr std::uint64_t kMostParts = 32;

}  // namespace oisp
