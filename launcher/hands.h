// What the supervisor decides, this does: it starts and kills roles, keeps for the helper what is to
// outlive it, starts scanners for it, and lets stopped processes go.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "base/mapping.h"
#include "bpf/shared-maps.h"
#include "launcher/role.h"

namespace oisp {

// A process is stopped for its first probes for no longer than the two together.
inline constexpr std::int64_t kHeldMs = 150;
inline constexpr std::int64_t kHeldLookMs = 50;

// The executables of all roles, in the order of RoleKind.
using Programs = std::array<OwnedFd, kRoleKinds>;

class Hands {
 public:
  // `command_line` is not read; `signals` is a signalfd of SIGTERM, which asks for an orderly end, and SIGCHLD.
  Hands(Programs programs, OwnedFd command_line, OwnedFd signals);
  Hands(const Hands&) = delete;
  Hands& operator=(const Hands&) = delete;
  // Serves the supervisor until it ends, and leaves nothing behind; the exit status.
  int run();

 private:
  static constexpr std::int64_t kNever = INT64_MAX;

  // What runs under one number.
  struct Role {
    RoleKind kind = RoleKind::supervisor;
    pid_t pid = 0;  // 0: nothing
    OwnedFd line;   // of the supervisor, and the helper's `store`: the others have nothing to say
  };

  void wait();
  void serve_signals();
  void serve_line(Role& role);
  bool serve_order(bool from_helper, ReceivedOrder& received);
  bool start(std::size_t number, RoleKind kind, int input, int orders);
  bool start_by_order(std::size_t number, std::int32_t detail, int orders);
  bool keep(std::uint64_t key, OwnedFd fd);
  void forget(std::uint64_t key);
  void scan(int connection);
  void tell_supervisor(const Order& order);
  void reap();
  void bury(std::size_t number, int status);
  void end_everything();

  // Stopped processes (held.cc).
  bool share_control(const OwnedFd& map);
  void let_go(std::uint32_t tgid);
  void look_at_held(std::int64_t patience_ms);
  void serve_held();
  void stop_holding();

  Programs programs_;
  OwnedFd command_line_;
  OwnedFd signals_;
  bool over_ = false;
  int supervisor_status_ = -1;  // wait status

  std::array<Role, kRoleNumbers> roles_;
  std::array<OwnedFd, kMostParts> parts_;  // maps and programs
  std::multimap<std::uint64_t, OwnedFd> links_;
  std::vector<OwnedFd> dropped_;  // links: to be closed one at a time, since each takes the kernel some 50 ms
  Mapping<oisp_control> control_;
  std::set<std::uint32_t> held_;  // stopped processes that the command line was told of
  std::int64_t held_due_ms_ = kNever;
};

}  // namespace oisp
