// The life of the roles: started, introduced to each other, started again, given up.

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>

#include "base/bug.h"
#include "base/log.h"
#include "launcher/session.h"

namespace oisp {
namespace {

uid_t uid_of(unsigned number) {
  return limits::kFirstUid + static_cast<uid_t>(::getpid()) * limits::kUidsPerLauncher + number;
}

// The helper hears of nothing but its own two switches.
bool is_for_helper(const Order& config) {
  return config.name_view() == "uprobes" || config.name_view() == "hold_new_files";
}

const char* sink_name(const Order& output) { return (output.value & kSinkIsFile) != 0 ? "file" : "view"; }

std::string how_it_ended(int wait_status) {
  if (WIFSIGNALED(wait_status)) return std::string("was killed (") + ::strsignal(WTERMSIG(wait_status)) + ")";
  return "ended with status " + std::to_string(WEXITSTATUS(wait_status));
}

// With one end for the launcher, which never waits.
Result<SocketPair> make_line() {
  auto pair = make_order_pair();
  if (!pair) return pair;
  const int ours = pair->a.get();
  const int size = limits::kOrderBufferBytes;
  if (::fcntl(ours, F_SETFL, O_RDWR | O_NONBLOCK) != 0 ||
      ::setsockopt(ours, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) != 0) {
    return errno_fault("prepare a connection");
  }
  return pair;
}

}  // namespace

void say(OwnedFd& line, const Order& order, int fd) {
  if (!line) return;
  const Status status = send_order(line.get(), order, fd);
  // One that is gone takes everything: what it said before is still to be heard, and then its end.
  if (!status && status.error().error == EAGAIN) line.reset();
}

void Session::add_role(RoleKind kind, std::size_t output) {
  auto role = std::make_unique<Role>();
  role->entry = &role_table()[static_cast<std::size_t>(kind)];
  role->number = static_cast<unsigned>(roles_.size()) + 1;
  role->output = output;
  OISP_BUG_IF(role->number >= limits::kFirstScanner);
  roles_.push_back(std::move(role));
}

// All that are due at once meet each other here; who runs already gets a new connection with them.
void Session::start_due_roles(std::int64_t now) {
  std::vector<Role*> fresh;
  for (const auto& role : roles_) {
    if (role->start_ms > now) continue;
    role->start_ms = kNever;
    if (!spawn(*role)) return;
    fresh.push_back(role.get());
  }
  for (Role* role : fresh) tell_settings(*role);
  const auto is_fresh = [&](const auto& role) { return std::ranges::find(fresh, role.get()) != fresh.end(); };
  for (const RoleLink& link : role_links()) {
    for (const auto& a : roles_) {
      for (const auto& b : roles_) {
        if (a->is(link.a) && b->is(link.b) && (is_fresh(a) || is_fresh(b))) connect(link, *a, *b);
      }
    }
  }
  for (Role* role : fresh) tell_task(*role);
}

bool Session::spawn(Role& role) {
  auto orders = make_line();
  auto store = make_line();
  if (!orders || !store) {
    fail(1, "No connection could be made: " + (orders ? store : orders).error().text());
    return false;
  }
  const bool is_helper = role.is(RoleKind::probe_helper);
  auto process = start_role({.entry = *role.entry,
                             .capabilities = role.fallback ? helper_fallback_capabilities() : role.entry->capabilities,
                             .program = programs_[static_cast<std::size_t>(role.entry->kind)].get(),
                             .uid = uid_of(role.number),
                             .orders = orders->b.get(),
                             .store = is_helper ? store->b.get() : -1});
  if (!process) {
    fail(1, std::string("Cannot start ") + role.entry->program + ": " + process.error().text());
    return false;
  }
  role.process = std::move(process.value());
  role.orders = std::move(orders->a);
  role.store = is_helper ? std::move(store->a) : OwnedFd();
  role.is_ready = false;
  ++role.lives;
  return true;
}

void Session::tell_settings(Role& role) {
  if (role.is(RoleKind::file_opener)) return;
  for (const Order& config : configs_) {
    if (!role.is(RoleKind::probe_helper) || is_for_helper(config)) say(role.orders, config);
  }
  if (role.lives > 1 && !role.is(RoleKind::probe_helper)) {
    Order restarted{.kind = OrderKind::config};
    restarted.set_name("restarted");
    restarted.set_text(std::to_string(role.lives - 1));
    say(role.orders, restarted);
  }
  if (role.is_exporter()) say(role.orders, outputs_[role.output].order, outputs_[role.output].fd.get());
  if (role.is(RoleKind::collector)) say(role.orders, {.kind = OrderKind::adopt}, memory_.get());
}

void Session::connect(const RoleLink& link, Role& a, Role& b) {
  if (!a.runs() || !b.runs()) return;  // the one that is missing is connected when it starts
  auto pair = link.stream ? make_stream_pair(limits::kStreamBufferBytes) : make_order_pair();
  if (!pair) return fail(1, "No connection could be made: " + pair.error().text());
  Order to_a{.kind = link.to_a};
  Order to_b{.kind = link.to_b};
  if (link.to_a == OrderKind::sink) {
    const Order& output = outputs_[b.output].order;
    to_a.detail = output.detail;
    to_a.value = output.value;
    to_a.set_name(sink_name(output));
    to_b.set_name(sink_name(output));
  }
  say(a.orders, to_a, pair->a.get());
  say(b.orders, to_b, pair->b.get());
}

void Session::tell_task(Role& role) {
  if (role.is(RoleKind::probe_helper)) {
    for (const auto& [name, fd] : kept_) {
      Order adopt{.kind = OrderKind::adopt};
      adopt.set_name(name);
      say(role.orders, adopt, fd.get());
    }
    for (const Order& watch : watches_) say(role.orders, watch);
    for (const ReceivedOrder& file : files_) say(role.orders, file.order, file.fd.get());
  }
  say(role.orders, {.kind = OrderKind::begin});
  if (phase_ == Phase::finishing) tell_end(role);
}

void Session::tell_end(Role& role) {
  if (role.is(RoleKind::collector)) say(role.orders, finish_order_);
  if (role.is(RoleKind::probe_helper)) say(role.orders, {.kind = OrderKind::drain});
}

void Session::bury(Role& role, int wait_status) {
  role.orders.reset();
  role.store.reset();
  if (role.is(RoleKind::probe_helper)) {
    stop_holding();
    wanted_scanners_.clear();
  }
  const bool well = WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0;
  if (phase_ == Phase::leaving || (phase_ == Phase::finishing && well && role.is_exporter())) role.ended = true;
  if (role.ended) return;
  if (role.changes_rights) {
    role.changes_rights = false;
    role.start_ms = now_ms();
  } else if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == kCouldNotStart) {
    role.ended = true;
    fail(1, std::string(role.entry->program) + " could not be started.");
  } else {
    plan_restart(role, how_it_ended(wait_status));
  }
}

void Session::plan_restart(Role& role, const std::string& how) {
  const std::int64_t now = now_ms();
  std::erase_if(role.deaths_ms, [&](std::int64_t death) { return death + limits::kDeathsWithinMs < now; });
  role.deaths_ms.push_back(now);
  const auto deaths = static_cast<unsigned>(role.deaths_ms.size());
  if (deaths >= limits::kMostDeaths) {
    role.ended = true;
    fail(1,
         std::string(role.entry->program) + " " + how + " for the fifth time within a minute; the capture ends here.");
    if (phase_ == Phase::finishing && role.is(RoleKind::collector)) leave();
    return;
  }
  role.start_ms = deaths == 1 ? now : now + (limits::kFirstBackoffMs << (deaths - 2));
  notice(std::string(role.entry->program) + " " + how + " and is started again.");
}

void Session::start_scanners() {
  const auto helper = std::ranges::find_if(roles_, [](const auto& role) { return role->is(RoleKind::probe_helper); });
  if (helper == roles_.end() || !(*helper)->runs()) return;
  const RoleEntry& entry = role_table()[static_cast<std::size_t>(RoleKind::scanner)];
  while (!wanted_scanners_.empty() && scanners_.size() < limits::kMostScanners) {
    unsigned number = limits::kFirstScanner;
    while (std::ranges::any_of(scanners_, [&](const Scanner& scanner) { return scanner.number == number; })) ++number;
    auto pair = make_order_pair();
    if (!pair) return log_error("no connection for a scanner: %s", pair.error().text().c_str());
    auto process = start_role({.entry = entry,
                               .capabilities = {},
                               .program = programs_[static_cast<std::size_t>(RoleKind::scanner)].get(),
                               .uid = uid_of(number),
                               .input = pair->b.get()});
    if (!process) return log_error("no scanner: %s", process.error().text().c_str());
    scanners_.push_back(
        {.process = std::move(process.value()), .number = number, .deadline_ms = now_ms() + limits::kScannerMs});
    Order reply = wanted_scanners_.front();  // name and value are the helper's, to know what it asked for
    wanted_scanners_.erase(wanted_scanners_.begin());
    reply.kind = OrderKind::scanner;
    say((*helper)->orders, reply, pair->a.get());
  }
}

}  // namespace oisp
