// What the supervisor decides, this does: it starts and kills roles, keeps for the helper what is to
// outlive it, starts scanners for it, and lets stopped processes go. A loop over descriptors; every
// order is looked up in a table of who may say it.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "ipc-schema/order.h"
#include "launcher/limits.h"
#include "launcher/role-table.h"
#include "launcher/start-role.h"

namespace oisp {

// The executables of all roles, in the order of RoleKind.
using Programs = std::array<OwnedFd, kRoleKinds>;

class Hands {
 public:
  // `command_line` is not waited for; `signals` is a signalfd of SIGTERM, which asks for an orderly end, and SIGCHLD.
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

  // The loop.
  void wait();
  void serve_signals();
  void serve_line(Role& role);
  bool serve_order(RoleKind from, ReceivedOrder& received);
  void reap();
  void bury(std::size_t number, int status);
  void drop_one_link();
  void end_everything();
  void say_done();

  // The life of roles. False, and logged: it could not be started.
  bool start(std::size_t number, RoleKind kind, int input, int orders);
  void tell_supervisor(const Order& order);

  // What each order does; false: it must not be given so.
  bool answer_start(ReceivedOrder& received);
  bool answer_kill(ReceivedOrder& received);
  bool answer_keep(ReceivedOrder& received);
  bool answer_forget(ReceivedOrder& received);
  bool answer_scan(ReceivedOrder& received);
  bool answer_held(ReceivedOrder& received);
  bool answer_release(ReceivedOrder& received);

  // Stopped processes (held.cc).
  [[nodiscard]] static bool is_as_declared(std::uint64_t key, const OwnedFd& map);
  void let_go(std::uint32_t tgid);
  void look_at_held(std::int64_t patience_ms);
  void serve_held();
  void stop_holding();

  Programs programs_;
  OwnedFd command_line_;
  OwnedFd signals_;
  bool over_ = false;
  bool abandoned_ = false;      // the command line is gone
  int supervisor_status_ = -1;  // wait status

  std::array<Role, kRoleNumbers> roles_;
  std::array<OwnedFd, kMostParts> parts_;  // maps and programs
  std::multimap<std::uint64_t, OwnedFd> links_;
  std::vector<OwnedFd> dropped_;  // links: to be closed one at a time, since each takes the kernel some 50 ms
  std::set<std::uint32_t> held_;  // stopped processes that the command line was told of
  std::int64_t held_due_ms_ = kNever;
};

}  // namespace oisp
