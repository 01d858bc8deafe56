// One session: what the command line asked for, and the roles that serve it. A loop over connections;
// every order is looked up in a table of who may say what when.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ipc-schema/order-channel.h"
#include "supervisor/limits.h"
#include "supervisor/role-links.h"

namespace oisp {

enum class Phase : std::uint8_t {
  asking,     // the command line has not said `begin`
  starting,   // roles run, no probe is known to be in place
  running,    // the command line heard `ready`
  finishing,  // the ring is drained, the last events are written
  leaving,    // all is delivered; roles end by themselves
};

class Session {
 public:
  // `memory` is that of one collector for the next.
  Session(OwnedFd command_line, OwnedFd launcher, OwnedFd memory);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  // Serves until nothing is left to do; the exit status.
  int run();

 private:
  friend struct Permission;

  static constexpr std::int64_t kNever = INT64_MAX;
  // Who says an order, besides the roles (a bit for each kind).
  static constexpr unsigned kFromCommandLine = 1u << 31;
  static constexpr unsigned kFromLauncher = 1u << 30;

  struct Role {
    RoleKind kind = RoleKind::collector;
    unsigned number = 0;          // its name at the launcher
    std::size_t output = 0;       // of an exporter
    bool for_perf = false;        // helper: with the capability that perf uprobes need
    bool changes_rights = false;  // ends to come back with it: no fault
    bool runs = false;            // from `start` to `ended`
    bool is_killed = false;
    bool ended = false;  // for good: its work is done, or it gave up
    bool is_ready = false;
    unsigned lives = 0;
    OrderChannel orders;
    std::vector<std::int64_t> deaths_ms;
    std::int64_t start_ms = 0;  // when it is due; kNever: it runs, or has ended

    [[nodiscard]] bool is(RoleKind one) const { return kind == one; }
    [[nodiscard]] bool is_exporter() const { return is(RoleKind::exporter_jsonl) || is(RoleKind::exporter_terminal); }
  };

  // The loop (session.cc).
  void wait_and_serve();
  void wait();
  [[nodiscard]] std::int64_t next_deadline_ms() const;
  void serve_role(Role& role);
  void serve_timers(std::int64_t now);
  void say_the_rest();

  // What each order does (answers.cc). Those of the launcher come without a role.
  void serve_line(OrderChannel& line, unsigned from, Role* role);
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
  void answer_ended(Role* role, ReceivedOrder& received);

  // The life of roles (roles.cc).
  void add_role(RoleKind kind, std::size_t output);
  void start_due_roles(std::int64_t now);
  bool request_start(Role& role);
  void request_kill(Role& role);
  void tell_settings(Role& role);
  void connect(const RoleLink& link, Role& a, Role& b);
  void tell_task(Role& role);
  void tell_end(Role& role);
  void bury(Role& role, int wait_status);
  void plan_restart(Role& role, const std::string& how);

  // The end (session.cc).
  void fail(int exit_status, const std::string& sentence);
  void notice(const std::string& sentence);
  void finish(const Order& order);
  void leave();

  OrderChannel command_line_;
  OrderChannel launcher_;
  OwnedFd memory_;
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
};

}  // namespace oisp
