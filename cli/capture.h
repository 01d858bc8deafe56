// One capture from the user's side: talks with the launcher, lets CMD go when the probes are in
// place, passes signals on, and knows when all is over.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "cli/held-child.h"
#include "ipc-schema/order-channel.h"
#include "cli/start-launcher.h"

namespace oisp {

class Capture {
 public:
  // Without a command: until the user ends it. Both children are held still; signals are blocked
  // from here on and read from a descriptor.
  Capture(HeldLauncher launcher, std::optional<HeldChild> command);
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;

  void say(const Order& order, int fd = -1) { launcher_.send(order, fd); }

  // Starts the launcher, which reads what was said; returns the exit status for the user.
  int run();

 private:
  enum class Phase : std::uint8_t {
    starting,   // CMD waits
    running,    // CMD runs, or the watch of --pid is in place
    finishing,  // the launcher was told to end
    over,       // the launcher said `done`, or is gone
  };

  void wait();
  void reap_launcher();
  void serve_launcher();
  void serve_order(const Order& order);
  void serve_signals();
  void serve_signal(int signal, bool from_a_process);
  void serve_children();
  void command_ended(int wait_status);
  void command_stopped(int signal);
  void let_command_go();
  void launcher_gone();
  void finish(std::uint64_t wait_status, bool interrupted);
  void give_up(int exit_status);
  void continue_held();
  [[nodiscard]] bool command_runs() const { return command_.has_value() && !command_status_.has_value(); }

  HeldChild launcher_child_;
  bool through_sudo_;
  OrderChannel launcher_;
  std::optional<HeldChild> command_;
  OwnedFd signals_;
  Phase phase_ = Phase::starting;
  bool heard_ = false;  // the launcher said anything
  bool was_ready_ = false;
  bool ask_again_ = false;  // a second SIGTERM does not wait for CMD
  bool launcher_ended_ = false;
  std::optional<int> command_status_;
  std::optional<int> exit_status_;  // instead of CMD's
  int failure_ = 0;
  std::int64_t continued_ms_ = 0;
  std::vector<pid_t> held_;  // stopped for their probes; ours to continue if the launcher is killed
};

}  // namespace oisp
