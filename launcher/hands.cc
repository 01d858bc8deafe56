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
#include "bpf/shared-maps.h"

namespace oisp {
namespace {

constexpr std::size_t kSupervisor = 0;  // its number

uid_t uid_of(std::size_t number) {
  return limits::kFirstUid + static_cast<uid_t>(::getpid()) * limits::kUidsPerLauncher + static_cast<uid_t>(number);
}

// It is not reaped yet, so the number is its own.
void kill_process(pid_t pid) {
  if (pid > 0) (void)::kill(pid, SIGKILL);
}

}  // namespace

// Who may say what. A helper that says anything else is killed; a supervisor that does ends the session.
bool Hands::serve_order(RoleKind from, ReceivedOrder& received) {
  struct Permission {
    OrderKind kind;
    bool from_supervisor;  // else from the helper
    bool with_fd;
    bool (Hands::*answer)(ReceivedOrder&);
  };
  static constexpr Permission kTable[] = {
      {OrderKind::start, true, true, &Hands::answer_start},
      {OrderKind::kill, true, false, &Hands::answer_kill},
      {OrderKind::keep, false, true, &Hands::answer_keep},
      {OrderKind::forget, false, false, &Hands::answer_forget},
      {OrderKind::scan, false, true, &Hands::answer_scan},
      {OrderKind::held, false, false, &Hands::answer_held},
      {OrderKind::release, false, false, &Hands::answer_release},
  };
  for (const Permission& row : kTable) {
    const bool fits = row.from_supervisor == (from == RoleKind::supervisor) && row.with_fd == received.fd.valid();
    if (row.kind == received.order.kind && fits && (this->*row.answer)(received)) return true;
  }
  log_warning("%s must not give order %u so", program_of(from), static_cast<unsigned>(received.order.kind));
  return false;
}

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
    drop_one_link();
  }
  end_everything();
  if (abandoned_) return 0;
  return WIFEXITED(supervisor_status_) ? WEXITSTATUS(supervisor_status_) : 1;
}

void Hands::wait() {
  // Of the command line its end alone is of interest: the supervisor reads it, and may hang.
  std::vector<pollfd> set{{.fd = command_line_.get(), .events = 0, .revents = 0},
                          {.fd = signals_.get(), .events = POLLIN, .revents = 0}};
  for (const Role& role : roles_) set.push_back({.fd = role.line.get(), .events = POLLIN, .revents = 0});
  if (held_due_ms_ == kNever) {
    set.push_back({.fd = parts_[OISP_PART_FILES].get(), .events = POLLIN, .revents = 0});
  }
  std::int64_t left_ms = -1;
  if (held_due_ms_ != kNever) left_ms = std::clamp<std::int64_t>(held_due_ms_ - now_ms(), 0, limits::kHeldLookMs);
  if (held_.empty() && !dropped_.empty()) left_ms = 0;
  (void)::poll(set.data(), set.size(), static_cast<int>(left_ms));
  if ((set[0].revents & POLLHUP) != 0) over_ = abandoned_ = true;
}

void Hands::serve_signals() {
  signalfd_siginfo info{};
  while (::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    if (info.ssi_signo == SIGTERM) tell_supervisor({.kind = OrderKind::finish, .detail = 1});
  }
}

void Hands::serve_line(Role& role) {
  for (unsigned i = 0; i < limits::kMostOrdersAtOnce && role.line; ++i) {
    auto received = receive_order(role.line.get());
    if (!received && received.error().error == EAGAIN) return;
    if (received && received->has_value() && serve_order(role.kind, **received)) continue;
    role.line.reset();
    kill_process(role.pid);
  }
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

// Nobody stands still until it is closed.
void Hands::drop_one_link() {
  if (held_.empty() && !dropped_.empty()) dropped_.pop_back();
}

void Hands::end_everything() {
  stop_holding();
  for (const Role& role : roles_) kill_process(role.pid);
  int status = 0;
  for (pid_t pid = 1; pid > 0; pid = ::waitpid(-1, &status, 0)) {
    if (pid == roles_[kSupervisor].pid) supervisor_status_ = status;
  }
  stop_holding();
  say_done();
}

// Not where the supervisor was killed: then the command line has not heard all that it should.
void Hands::say_done() {
  if (!WIFEXITED(supervisor_status_)) return;
  const Order done{.kind = OrderKind::done, .detail = WEXITSTATUS(supervisor_status_)};
  const Status said = send_order(command_line_.get(), done);
  if (said || said.error().error != EAGAIN) return;
  // One that does not read is waited for, with nothing in hand.
  links_.clear();
  dropped_.clear();
  parts_ = {};
  (void)::fcntl(command_line_.get(), F_SETFL, O_RDWR);
  (void)send_order(command_line_.get(), done);
}

bool Hands::start(std::size_t number, RoleKind kind, int input, int orders) {
  auto line = make_order_pair();
  if (!line || ::fcntl(line->a.get(), F_SETFL, O_RDWR | O_NONBLOCK) != 0) {
    log_error("no connection for %s", program_of(kind));
    return false;
  }
  RoleStart start{.entry = entry_of(kind),
                  .program = programs_[static_cast<std::size_t>(kind)].get(),
                  .uid = uid_of(number),
                  .descriptors = {input, STDERR_FILENO, STDERR_FILENO, orders}};
  if (kind == RoleKind::supervisor) start.descriptors[kOrdersFd] = line->b.get();
  if (is_helper(kind)) {
    start.descriptors.push_back(line->b.get());
    for (const OwnedFd& part : parts_) start.descriptors.push_back(part.get());
  }
  static_assert(kOrdersFd == 3 && kStoreFd == 4 && kFirstPartFd == 5);
  const auto pid = start_role(start);
  if (!pid) {
    log_error("%s: %s", program_of(kind), pid.error().text().c_str());
    return false;
  }
  if (kind != RoleKind::supervisor && !is_helper(kind)) line->a.reset();
  roles_[number] = {.kind = kind, .pid = pid.value(), .line = std::move(line->a)};
  return true;
}

// It has room for all that there is to say; one that leaves it unread hangs.
void Hands::tell_supervisor(const Order& order) {
  const Role& supervisor = roles_[kSupervisor];
  if (!send_order(supervisor.line.get(), order)) kill_process(supervisor.pid);
}

bool Hands::answer_start(ReceivedOrder& received) {
  const std::uint64_t number = received.order.value;
  const auto last_kind = static_cast<std::int32_t>(RoleKind::probe_helper_perf);
  if (number == kSupervisor || number >= kFirstScannerNumber || roles_[number].pid != 0) return false;
  if (received.order.detail < 0 || received.order.detail > last_kind) return false;
  const auto kind = static_cast<RoleKind>(received.order.detail);
  const bool has_helper =
      std::ranges::any_of(roles_, [](const Role& role) { return role.pid != 0 && is_helper(role.kind); });
  if (is_helper(kind) && has_helper) return false;
  if (!start(number, kind, STDIN_FILENO, received.fd.get())) {
    tell_supervisor({.kind = OrderKind::ended, .detail = W_EXITCODE(kCouldNotStart, 0), .value = number});
  }
  return true;
}

bool Hands::answer_kill(ReceivedOrder& received) {
  const std::uint64_t number = received.order.value;
  if (number == kSupervisor || number >= kFirstScannerNumber) return false;
  kill_process(roles_[number].pid);
  return true;
}

bool Hands::answer_keep(ReceivedOrder& received) {
  const std::uint64_t key = received.order.value;
  if (!is_as_declared(key, received.fd)) return false;
  if (key < kMostParts) {
    parts_[key] = std::move(received.fd);
  } else if (links_.size() + dropped_.size() < limits::kMostLinks) {
    links_.emplace(key, std::move(received.fd));
  } else {
    log_warning("more is kept than there is room for: a new helper will not have all");
  }
  return true;
}

bool Hands::answer_forget(ReceivedOrder& received) {
  const std::uint64_t key = received.order.value;
  if (key < kMostParts) parts_[key].reset();
  const auto [first, last] = links_.equal_range(key);
  for (auto link = first; link != last; ++link) dropped_.push_back(std::move(link->second));
  links_.erase(first, last);
  return true;
}

// Where there are too many, the helper sees the end of its connection: a scanner that died.
bool Hands::answer_scan(ReceivedOrder& received) {
  std::size_t number = kFirstScannerNumber;
  while (number < roles_.size() && roles_[number].pid != 0) ++number;
  if (number < roles_.size()) (void)start(number, RoleKind::scanner, received.fd.get(), -1);
  return true;
}

bool Hands::answer_held(ReceivedOrder& /*received*/) {
  held_due_ms_ = 0;
  return true;
}

bool Hands::answer_release(ReceivedOrder& received) {
  let_go(static_cast<std::uint32_t>(received.order.value));
  held_due_ms_ = 0;
  return true;
}

}  // namespace oisp
