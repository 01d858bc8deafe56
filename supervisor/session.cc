#include "supervisor/session.h"

#include <poll.h>

#include <algorithm>

#include "base/clock.h"
#include "base/log.h"

namespace oisp {
namespace {

void add(std::vector<pollfd>& set, const OrderChannel& line) {
  const short events = line.has_queued() ? POLLIN | POLLOUT : POLLIN;
  if (line.open()) set.push_back({.fd = line.fd(), .events = events, .revents = 0});
}

}  // namespace

Session::Session(OwnedFd command_line, OwnedFd launcher, OwnedFd memory)
    : command_line_(std::move(command_line), limits::kMostQueued),
      launcher_(std::move(launcher), limits::kMostQueued),
      memory_(std::move(memory)) {}

int Session::run() {
  while (!over_) wait_and_serve();
  say_the_rest();
  return exit_status_;
}

// Nothing here blocks, so whatever woke us, everything is looked at: there is little of it.
void Session::wait_and_serve() {
  wait();
  serve_line(command_line_, kFromCommandLine, nullptr);
  serve_line(launcher_, kFromLauncher, nullptr);
  if (!command_line_.open() || !launcher_.open()) over_ = true;  // nobody is left to serve, or to do it
  for (const auto& role : roles_) serve_role(*role);
  serve_timers(now_ms());
}

void Session::wait() {
  std::vector<pollfd> set;
  add(set, command_line_);
  add(set, launcher_);
  for (const auto& role : roles_) add(set, role->orders);
  const std::int64_t deadline = next_deadline_ms();
  const std::int64_t left = deadline == kNever ? -1 : std::clamp<std::int64_t>(deadline - now_ms(), 0, 60'000);
  (void)::poll(set.data(), set.size(), static_cast<int>(left));
}

std::int64_t Session::next_deadline_ms() const {
  std::int64_t next = phase_deadline_ms_;
  for (const auto& role : roles_) next = std::min(next, role->start_ms);
  return next;
}

void Session::serve_role(Role& role) {
  if (!role.runs) return;
  serve_line(role.orders, 1u << static_cast<unsigned>(role.kind), &role);
  if (phase_ != Phase::leaving && !role.orders.open()) request_kill(role);
}

void Session::serve_timers(std::int64_t now) {
  start_due_roles(now);
  if (phase_deadline_ms_ <= now) {
    phase_deadline_ms_ = kNever;
    if (phase_ == Phase::starting) fail(1, "The probes could not be put in place within a minute.");
    if (phase_ == Phase::leaving) over_ = true;
    if (phase_ == Phase::finishing) {
      notice("The last events could not be delivered in time; the session ends without them.");
      leave();
    }
  }
  const bool busy = std::ranges::any_of(
      roles_, [](const auto& role) { return role->runs && (role->is(RoleKind::collector) || role->is_exporter()); });
  if (phase_ == Phase::leaving && !busy) over_ = true;
}

// The command line is to hear why it ended, if it reads at all.
void Session::say_the_rest() {
  const std::int64_t end = now_ms() + limits::kLeaveMs;
  for (command_line_.flush(); command_line_.has_queued() && now_ms() < end; command_line_.flush()) {
    pollfd writable{.fd = command_line_.fd(), .events = POLLOUT, .revents = 0};
    (void)::poll(&writable, 1, static_cast<int>(limits::kLeaveMs));
    if ((writable.revents & (POLLHUP | POLLERR)) != 0) return;
  }
  if (command_line_.has_queued()) log_warning("the command line does not read what there is to say");
}

void Session::fail(int exit_status, const std::string& sentence) {
  Order order{.kind = OrderKind::failed, .detail = exit_status};
  order.set_text(sentence);
  command_line_.send(order);
  if (exit_status_ == 0) exit_status_ = exit_status;
  // What was captured so far is still delivered.
  if (phase_ == Phase::running) return finish({.kind = OrderKind::finish, .detail = 1});
  if (phase_ < Phase::running) over_ = true;
}

void Session::notice(const std::string& sentence) {
  if (++notices_ > limits::kMostNotices) return;
  Order order{.kind = OrderKind::notice};
  order.set_text(sentence);
  command_line_.send(order);
}

void Session::finish(const Order& order) {
  if (phase_ >= Phase::finishing) return;
  if (phase_ < Phase::running) {  // nothing was captured
    over_ = true;
    return;
  }
  phase_ = Phase::finishing;
  phase_deadline_ms_ = now_ms() + limits::kFinishMs;
  finish_order_ = order;
  for (const auto& role : roles_) {
    if (role->is(RoleKind::collector) && role->ended) return leave();
    if (role->runs) tell_end(*role);
  }
}

// The collector and the exporters end by themselves; the others are told by the end of their orders.
void Session::leave() {
  phase_ = Phase::leaving;
  phase_deadline_ms_ = now_ms() + limits::kLeaveMs;
  for (const auto& role : roles_) {
    role->start_ms = kNever;
    if (role->is(RoleKind::probe_helper) || role->is(RoleKind::file_opener)) role->orders.close();
  }
}

}  // namespace oisp
