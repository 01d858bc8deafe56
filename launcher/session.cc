#include "launcher/session.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>

#include "base/clock.h"
#include "base/pidfd.h"

namespace oisp {
namespace {

void add(std::vector<pollfd>& set, const OwnedFd& fd) {
  if (fd) set.push_back({.fd = fd.get(), .events = POLLIN, .revents = 0});
}

// The wait status of a process that ended, without waiting.
std::optional<int> ended(Process& process) {
  int status = 0;
  if (process.pid <= 0 || ::waitpid(process.pid, &status, WNOHANG) != process.pid) return std::nullopt;
  process = Process{};
  return status;
}

void kill_process(const Process& process) {
  if (process.pidfd) (void)signal_pidfd(process.pidfd.get(), SIGKILL);
}

}  // namespace

std::int64_t now_ms() { return read_clock_ns(CLOCK_MONOTONIC) / 1'000'000; }

Session::Session(Programs programs, OwnedFd command_line, OwnedFd signals)
    : programs_(std::move(programs)), command_line_(std::move(command_line)), signals_(std::move(signals)) {}

int Session::run() {
  while (!over_) wait_and_serve();
  end_everything();
  return exit_status_;
}

// Nothing here blocks, so whatever woke us, everything is looked at: there is little of it.
void Session::wait_and_serve() {
  wait();
  serve_signals();
  serve_line(command_line_, kFromCommandLine, nullptr);
  if (!command_line_) over_ = true;  // nobody is left to serve
  for (const auto& role : roles_) serve_role(*role);
  const std::int64_t now = now_ms();
  serve_scanners(now);
  serve_timers(now);
}

void Session::wait() {
  std::vector<pollfd> set;
  add(set, command_line_);
  add(set, signals_);
  for (const auto& role : roles_) {
    add(set, role->process.pidfd);
    add(set, role->orders);
    add(set, role->store);
  }
  for (const Scanner& scanner : scanners_) add(set, scanner.process.pidfd);
  if (held_due_ms_ == kNever) set.push_back({.fd = kept_map("map:files"), .events = POLLIN, .revents = 0});
  const std::int64_t deadline = next_deadline_ms();
  const std::int64_t left = deadline == kNever ? -1 : std::clamp<std::int64_t>(deadline - now_ms(), 0, 60'000);
  (void)::poll(set.data(), set.size(), static_cast<int>(left));
}

std::int64_t Session::next_deadline_ms() const {
  if (may_drop()) return 0;
  std::int64_t next = std::min(phase_deadline_ms_, held_due_ms_);
  for (const auto& role : roles_) next = std::min(next, role->start_ms);
  for (const Scanner& scanner : scanners_) next = std::min(next, scanner.deadline_ms);
  return next;
}

void Session::serve_role(Role& role) {
  if (!role.runs()) return;
  // A role that ended said all before: what it sent is read after its end was seen.
  const auto status = ended(role.process);
  serve_line(role.orders, 1u << static_cast<unsigned>(role.entry->kind), &role);
  serve_line(role.store, kFromStore, &role);
  if (status) return bury(role, *status);
  const bool store_missing = role.is(RoleKind::probe_helper) && !role.store;
  if (phase_ != Phase::leaving && (!role.orders || store_missing)) kill_process(role.process);
}

void Session::serve_scanners(std::int64_t now) {
  for (Scanner& scanner : scanners_) {
    if (scanner.deadline_ms > now) continue;
    kill_process(scanner.process);
    scanner.deadline_ms = kNever;
  }
  std::erase_if(scanners_, [](Scanner& scanner) { return ended(scanner.process).has_value(); });
  start_scanners();
}

void Session::serve_timers(std::int64_t now) {
  serve_held(now);
  if (may_drop()) dropped_.pop_back();
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
      roles_, [](const auto& role) { return role->runs() && (role->is(RoleKind::collector) || role->is_exporter()); });
  if (phase_ == Phase::leaving && !busy) over_ = true;
}

void Session::serve_signals() {
  signalfd_siginfo info{};
  while (::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    finish({.kind = OrderKind::finish, .detail = 1});
  }
}

void Session::fail(int exit_status, const std::string& sentence) {
  Order order{.kind = OrderKind::failed, .detail = exit_status};
  order.set_text(sentence);
  say(command_line_, order);
  if (exit_status_ == 0) exit_status_ = exit_status;
  // What was captured so far is still delivered.
  if (phase_ == Phase::running) return finish({.kind = OrderKind::finish, .detail = 1});
  if (phase_ < Phase::running) over_ = true;
}

void Session::notice(const std::string& sentence) {
  if (++notices_ > limits::kMostNotices) return;
  Order order{.kind = OrderKind::notice};
  order.set_text(sentence);
  say(command_line_, order);
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
    if (role->runs()) tell_end(*role);
  }
}

// The collector and the exporters end by themselves; the others are told by the end of their orders.
void Session::leave() {
  phase_ = Phase::leaving;
  phase_deadline_ms_ = now_ms() + limits::kLeaveMs;
  for (const auto& role : roles_) {
    role->start_ms = kNever;
    if (role->is(RoleKind::probe_helper) || role->is(RoleKind::file_opener)) role->orders.reset();
  }
}

void Session::end_everything() {
  stop_holding();
  for (const auto& role : roles_) kill_process(role->process);
  for (const Scanner& scanner : scanners_) kill_process(scanner.process);
  while (::waitpid(-1, nullptr, 0) > 0 || errno == EINTR) {
  }
  look_at_held(0);
  say(command_line_, {.kind = OrderKind::done});
}

}  // namespace oisp
