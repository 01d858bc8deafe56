#include "launcher/hands.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "base/clock.h"
#include "base/log.h"

namespace oisp {
namespace {

constexpr std::size_t kSupervisor = 0;  // its number
// Descriptors held for the helper besides the parts: a few links for each probed file.
constexpr std::size_t kMostLinks = 4096;
// Read from one role before all others are looked at: more than a socket holds, and a matter of
// milliseconds, so that who sends without end keeps nobody stopped.
constexpr unsigned kMostOrdersAtOnce = 1024;

// It is not reaped yet, so the number is its own.
void kill_process(pid_t pid) {
  if (pid > 0) (void)::kill(pid, SIGKILL);
}

}  // namespace

Hands::Hands(Programs programs, OwnedFd command_line, OwnedFd signals)
    : programs_(std::move(programs)), command_line_(std::move(command_line)), signals_(std::move(signals)) {}

// Nothing here blocks, so whatever woke us, everything is looked at: there is little of it.
int Hands::run() {
  over_ = !start(kSupervisor, RoleKind::supervisor, command_line_.get(), -1);
  while (!over_) {
    wait();
    serve_signals();
    for (Role& role : roles_) serve_line(role);
    reap();
    serve_held();
    if (held_.empty() && !dropped_.empty()) dropped_.pop_back();
  }
  end_everything();
  return WIFEXITED(supervisor_status_) ? WEXITSTATUS(supervisor_status_) : 1;
}

void Hands::wait() {
  // Of the command line its end alone is of interest: the supervisor reads it, and may hang.
  std::vector<pollfd> set{{.fd = command_line_.get(), .events = 0, .revents = 0},
                          {.fd = signals_.get(), .events = POLLIN, .revents = 0}};
  for (const Role& role : roles_) set.push_back({.fd = role.line.get(), .events = POLLIN, .revents = 0});
  std::int64_t left_ms = -1;
  if (held_due_ms_ != kNever) {
    left_ms = std::clamp<std::int64_t>(held_due_ms_ - now_ms(), 0, kHeldLookMs);
  } else {
    set.push_back({.fd = parts_[OISP_PART_FILES].get(), .events = POLLIN, .revents = 0});
  }
  if (held_.empty() && !dropped_.empty()) left_ms = 0;
  (void)::poll(set.data(), set.size(), static_cast<int>(left_ms));
  if ((set[0].revents & POLLHUP) != 0) over_ = true;
}

void Hands::serve_signals() {
  signalfd_siginfo info{};
  while (::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    if (info.ssi_signo == SIGTERM) tell_supervisor({.kind = OrderKind::finish, .detail = 1});
  }
}

// A helper that says what it must not is killed; a supervisor that does ends the session.
void Hands::serve_line(Role& role) {
  for (unsigned i = 0; i < kMostOrdersAtOnce && role.line; ++i) {
    auto received = receive_order(role.line.get());
    if (!received && received.error().error == EAGAIN) return;
    if (received && *received && serve_order(is_helper(role.kind), **received)) continue;
    if (received && *received) log_warning("%s must not say that", program_of(role.kind));
    role.line.reset();
    kill_process(role.pid);
  }
}

// Who may say what, and with a descriptor or without. False: it must not be said so.
bool Hands::serve_order(bool from_helper, ReceivedOrder& received) {
  const Order& order = received.order;
  const OrderKind kind = order.kind;
  const bool is_helpers = kind >= OrderKind::keep && kind <= OrderKind::release;
  const bool has_fd = kind == OrderKind::start || kind == OrderKind::keep || kind == OrderKind::scan;
  if (from_helper != is_helpers || received.fd.valid() != has_fd) return false;
  switch (kind) {
    case OrderKind::start:
      return start_by_order(order.value, order.detail, received.fd.get());
    case OrderKind::kill:
      if (order.value == kSupervisor || order.value >= kFirstScannerNumber) return false;
      kill_process(roles_[order.value].pid);
      return true;
    case OrderKind::keep:
      return keep(order.value, std::move(received.fd));
    case OrderKind::scan:
      scan(received.fd.get());
      return true;
    case OrderKind::forget:
      forget(order.value);
      return true;
    case OrderKind::release:
      let_go(static_cast<std::uint32_t>(order.value));
      [[fallthrough]];
    case OrderKind::held:
      held_due_ms_ = 0;
      return true;
    default:
      return false;
  }
}

bool Hands::start(std::size_t number, RoleKind kind, int input, int orders) {
  auto line = make_order_pair();
  if (!line || ::fcntl(line->a.get(), F_SETFL, O_RDWR | O_NONBLOCK) != 0) return false;
  RoleStart start{.entry = entry_of(kind),
                  .program = programs_[static_cast<std::size_t>(kind)].get(),
                  .uid = kFirstUid + static_cast<uid_t>(::getpid()) * kRoleNumbers + static_cast<uid_t>(number),
                  .descriptors = {input, STDERR_FILENO, STDERR_FILENO, orders}};
  static_assert(kOrdersFd == 3 && kStoreFd == 4 && kFirstPartFd == 5);
  if (kind == RoleKind::supervisor) start.descriptors[kOrdersFd] = line->b.get();
  if (is_helper(kind)) {
    start.descriptors.push_back(line->b.get());
    for (const OwnedFd& part : parts_) start.descriptors.push_back(part.get());
  }
  const auto pid = start_role(start);
  if (!pid) return false;
  if (kind != RoleKind::supervisor && !is_helper(kind)) line->a.reset();
  roles_[number] = {.kind = kind, .pid = pid.value(), .line = std::move(line->a)};
  return true;
}

// One that cannot be started, for lack of processes or descriptors, ends the session too.
bool Hands::start_by_order(std::size_t number, std::int32_t detail, int orders) {
  if (number == kSupervisor || number >= kFirstScannerNumber || roles_[number].pid != 0) return false;
  if (detail < 0 || detail > static_cast<std::int32_t>(RoleKind::probe_helper_perf)) return false;
  const auto kind = static_cast<RoleKind>(detail);
  const auto is_live_helper = [](const Role& role) { return role.pid != 0 && is_helper(role.kind); };
  if (is_helper(kind) && std::ranges::any_of(roles_, is_live_helper)) return false;
  return start(number, kind, STDIN_FILENO, orders);
}

bool Hands::keep(std::uint64_t key, OwnedFd fd) {
  if (key == OISP_PART_CONTROL && !share_control(fd)) return false;
  if (key < kMostParts) {
    parts_[key] = std::move(fd);
  } else if (links_.size() + dropped_.size() < kMostLinks) {
    links_.emplace(key, std::move(fd));
  } else {
    log_warning("more is kept than there is room for: a new helper will not have all");
  }
  return true;
}

void Hands::forget(std::uint64_t key) {
  if (key < kMostParts) parts_[key].reset();
  const auto [first, last] = links_.equal_range(key);
  for (auto link = first; link != last; ++link) dropped_.push_back(std::move(link->second));
  links_.erase(first, last);
}

// Where there are too many, the helper sees the end of its connection: a scanner that died.
void Hands::scan(int connection) {
  std::size_t number = kFirstScannerNumber;
  while (number < roles_.size() && roles_[number].pid != 0) ++number;
  if (number < roles_.size()) (void)start(number, RoleKind::scanner, connection, -1);
}

// It has room for all that there is to say; one that leaves it unread hangs.
void Hands::tell_supervisor(const Order& order) {
  const Role& supervisor = roles_[kSupervisor];
  if (!send_order(supervisor.line.get(), order)) kill_process(supervisor.pid);
}

void Hands::reap() {
  int status = 0;
  for (pid_t pid = ::waitpid(-1, &status, WNOHANG); pid > 0; pid = ::waitpid(-1, &status, WNOHANG)) {
    const auto role = std::ranges::find(roles_, pid, &Role::pid);
    if (role != roles_.end()) bury(static_cast<std::size_t>(role - roles_.begin()), status);
  }
}

void Hands::bury(std::size_t number, int status) {
  roles_[number].pid = 0;
  serve_line(roles_[number]);  // it said all before it ended
  const RoleKind kind = std::exchange(roles_[number], Role{}).kind;
  if (is_helper(kind)) stop_holding();
  if (kind == RoleKind::supervisor) {
    over_ = true;
    supervisor_status_ = status;
  } else if (kind != RoleKind::scanner) {
    tell_supervisor({.kind = OrderKind::ended, .detail = status, .value = number});
  }
}

void Hands::end_everything() {
  stop_holding();
  for (const Role& role : roles_) kill_process(role.pid);
  int status = 0;
  for (pid_t pid = 1; pid > 0; pid = ::waitpid(-1, &status, 0)) {
    if (pid == roles_[kSupervisor].pid) supervisor_status_ = status;
  }
  stop_holding();
  links_.clear();
  dropped_.clear();
  parts_ = {};
  // Not where the supervisor was killed: then the command line has not heard all that it should. One that
  // does not read is waited for, with nothing in hand.
  if (!WIFEXITED(supervisor_status_)) return;
  (void)::fcntl(command_line_.get(), F_SETFL, O_RDWR);
  (void)send_order(command_line_.get(), {.kind = OrderKind::done, .detail = WEXITSTATUS(supervisor_status_)});
}

}  // namespace oisp
