// One session: what the command line asked for, the roles that serve it, and what is held for them.
// A loop over descriptors; every order is looked up in a table of who may say what when.
#pragma once

#include <sys/mman.h>

#include <array>
#include <cstdint>
#include <map>
#include <memory>
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

enum class Phase : std::uint8_t {
  asking,     // the command line has not said `begin`
  starting,   // roles run, no probe is known to be in place
  running,    // the command line heard `ready`
  finishing,  // the ring is drained, the last events are written
  leaving,    // all is delivered; roles end by themselves
};

// CLOCK_MONOTONIC in milliseconds.
std::int64_t now_ms();

// Sends without waiting. A peer that leaves as much unread as its socket takes loses the connection.
void say(OwnedFd& line, const Order& order, int fd = -1);

class Session {
 public:
  // `signals` is a signalfd of those that ask for an orderly end.
  Session(Programs programs, OwnedFd command_line, OwnedFd signals);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  // Serves until nothing is left to do; the exit status.
  int run();

 private:
  friend struct Permission;

  static constexpr std::int64_t kNever = INT64_MAX;
  // Who says an order, besides the roles (a bit for each kind).
  static constexpr unsigned kFromCommandLine = 1u << 31;
  static constexpr unsigned kFromStore = 1u << 30;

  struct Role {
    const RoleEntry* entry = nullptr;
    unsigned number = 0;          // of its uid
    std::size_t output = 0;       // of an exporter
    bool fallback = false;        // helper: with the capabilities for perf uprobes
    bool changes_rights = false;  // ends to come back with them: no fault
    bool ended = false;           // for good: its work is done, or it gave up
    bool is_ready = false;
    unsigned lives = 0;
    Process process;
    OwnedFd orders;
    OwnedFd store;
    std::vector<std::int64_t> deaths_ms;
    std::int64_t start_ms = 0;  // when it is due; kNever: it runs, or has ended

    [[nodiscard]] bool runs() const { return process.pid > 0; }
    [[nodiscard]] bool is(RoleKind kind) const { return entry->kind == kind; }
    [[nodiscard]] bool is_exporter() const { return is(RoleKind::exporter_jsonl) || is(RoleKind::exporter_terminal); }
  };
  struct Scanner {
    Process process;
    unsigned number = 0;
    std::int64_t deadline_ms = 0;
  };

  // The loop (session.cc).
  void wait_and_serve();
  void wait();
  [[nodiscard]] std::int64_t next_deadline_ms() const;
  void serve_role(Role& role);
  void serve_scanners(std::int64_t now);
  void serve_timers(std::int64_t now);
  void serve_signals();

  // What each order does (answers.cc).
  void serve_line(OwnedFd& line, unsigned from, Role* role);
  void answer_watch(Role* role, ReceivedOrder& received);
  void answer_output(Role* role, ReceivedOrder& received);
  void answer_file(Role* role, ReceivedOrder& received);
  void answer_config(Role* role, ReceivedOrder& received);
  void answer_begin(Role* role, ReceivedOrder& received);
  void answer_finish(Role* role, ReceivedOrder& received);
  void answer_ready(Role* role, ReceivedOrder& received);
  void answer_failed(Role* role, ReceivedOrder& received);
  void answer_notice(Role* role, ReceivedOrder& received);
  void answer_done(Role* role, ReceivedOrder& received);
  void answer_keep(Role* role, ReceivedOrder& received);
  void answer_forget(Role* role, ReceivedOrder& received);
  void answer_want_scanner(Role* role, ReceivedOrder& received);
  void answer_held(Role* role, ReceivedOrder& received);
  void answer_release(Role* role, ReceivedOrder& received);

  // The life of roles (roles.cc).
  void add_role(RoleKind kind, std::size_t output);
  void start_due_roles(std::int64_t now);
  bool spawn(Role& role);
  void tell_settings(Role& role);
  void connect(const RoleLink& link, Role& a, Role& b);
  void tell_task(Role& role);
  void tell_end(Role& role);
  void bury(Role& role, int wait_status);
  void plan_restart(Role& role, const std::string& how);
  void start_scanners();

  // Stopped processes (held.cc).
  [[nodiscard]] int kept_map(std::string_view name) const;
  void let_go(std::uint32_t tgid);
  void look_at_held(std::int64_t patience_ms);
  void serve_held(std::int64_t now);
  // Nobody stands still until a link is closed.
  [[nodiscard]] bool may_drop() const { return held_.empty() && !dropped_.empty(); }
  void stop_holding();

  // The end (session.cc).
  void fail(int exit_status, const std::string& sentence);
  void notice(const std::string& sentence);
  void finish(const Order& order);
  void leave();
  void end_everything();

  Programs programs_;
  OwnedFd command_line_;
  OwnedFd signals_;
  Phase phase_ = Phase::asking;
  bool over_ = false;
  int exit_status_ = 0;
  unsigned notices_ = 0;
  std::int64_t phase_deadline_ms_ = kNever;
  Order finish_order_;

  std::vector<Order> configs_;
  std::vector<Order> watches_;
  std::vector<ReceivedOrder> outputs_;
  std::vector<ReceivedOrder> files_;

  std::vector<std::unique_ptr<Role>> roles_;
  std::vector<Scanner> scanners_;
  std::vector<Order> wanted_scanners_;
  std::map<std::string, OwnedFd, std::less<>> kept_;
  OwnedFd memory_{::memfd_create("oisp-collector", MFD_CLOEXEC)};  // of one collector for the next
  std::vector<OwnedFd> dropped_;  // links: to be closed one at a time, since each takes the kernel some 50 ms
  std::set<std::uint32_t> held_;  // stopped processes that the command line was told of
  std::int64_t held_due_ms_ = kNever;
};

}  // namespace oisp
