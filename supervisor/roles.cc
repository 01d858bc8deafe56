// The life of the roles: started, introduced to each other, started again, given up.

#include <sys/wait.h>

#include <algorithm>
#include <cstring>

#include "base/bug.h"
#include "base/clock.h"
#include "ipc-schema/sink.h"
#include "ipc-schema/stream-pair.h"
#include "supervisor/session.h"

namespace oisp {
namespace {

// The helper hears of nothing but its own two switches.
bool is_for_helper(const Order& config) {
  const std::string_view name = config.name_view();
  return name == "uprobes" || name == "hold_new_files" || name == "buffer_size";
}

const char* sink_name(const Order& output) { return (output.value & kSinkIsFile) != 0 ? "file" : "view"; }

std::string how_it_ended(int wait_status) {
  if (WIFSIGNALED(wait_status)) return std::string("was killed (") + ::strsignal(WTERMSIG(wait_status)) + ")";
  return "ended with status " + std::to_string(WEXITSTATUS(wait_status));
}

}  // namespace

void Session::add_role(RoleKind kind, std::size_t output) {
  auto role = std::make_unique<Role>();
  role->kind = kind;
  role->number = static_cast<unsigned>(roles_.size()) + 1;
  role->output = output;
  OISP_BUG_IF(role->number >= kFirstScannerNumber);
  roles_.push_back(std::move(role));
}

// All that are due at once meet each other here; who runs already gets a new connection with them.
void Session::start_due_roles(std::int64_t now) {
  std::vector<Role*> fresh;
  for (const auto& role : roles_) {
    if (role->start_ms > now) continue;
    role->start_ms = kNever;
    if (!request_start(*role)) return;
    fresh.push_back(role.get());
  }
  for (Role* role : fresh) tell_settings(*role);
  const auto is_fresh = [&](const auto& role) { return std::ranges::find(fresh, role.get()) != fresh.end(); };
  for (const RoleLink& link : kRoleLinks) {
    for (const auto& a : roles_) {
      for (const auto& b : roles_) {
        if (a->is(link.a) && b->is(link.b) && (is_fresh(a) || is_fresh(b))) connect(link, *a, *b);
      }
    }
  }
  for (Role* role : fresh) tell_task(*role);
}

bool Session::request_start(Role& role) {
  auto line = make_order_pair();
  if (!line) {
    fail(1, "No connection could be made: " + line.error().text());
    return false;
  }
  const RoleKind kind = role.for_perf ? RoleKind::probe_helper_perf : role.kind;
  launcher_.send({.kind = OrderKind::start, .detail = static_cast<std::int32_t>(kind), .value = role.number},
                 line->b.get());
  role.orders = OrderChannel(std::move(line->a), limits::kMostQueued);
  role.runs = true;
  role.is_killed = false;
  role.is_ready = false;
  ++role.lives;
  return true;
}

void Session::request_kill(Role& role) {
  if (!std::exchange(role.is_killed, true)) launcher_.send({.kind = OrderKind::kill, .value = role.number});
}

void Session::tell_settings(Role& role) {
  if (role.is(RoleKind::file_opener)) return;
  for (const Order& config : configs_) {
    if (!role.is(RoleKind::probe_helper) || is_for_helper(config)) role.orders.send(config);
  }
  if (role.is(RoleKind::probe_helper)) {
    for (const Order& watch : watches_) role.orders.send(watch);
    return;
  }
  if (role.lives > 1) {
    Order restarted{.kind = OrderKind::config};
    restarted.set_name("restarted");
    restarted.set_text(std::to_string(role.lives - 1));
    role.orders.send(restarted);
  }
  if (role.is_exporter()) role.orders.send(outputs_[role.output].order, outputs_[role.output].fd.get());
  if (role.is(RoleKind::collector)) role.orders.send({.kind = OrderKind::adopt}, memory_.get());
}

void Session::connect(const RoleLink& link, Role& a, Role& b) {
  if (!a.runs || !b.runs) return;  // the one that is missing is connected when it starts
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
  a.orders.send(to_a, pair->a.get());
  b.orders.send(to_b, pair->b.get());
}

void Session::tell_task(Role& role) {
  if (role.is(RoleKind::probe_helper)) {
    for (const ReceivedOrder& file : files_) role.orders.send(file.order, file.fd.get());
  }
  role.orders.send({.kind = OrderKind::begin});
  if (phase_ == Phase::finishing) tell_end(role);
}

void Session::tell_end(Role& role) {
  if (role.is(RoleKind::collector)) role.orders.send(finish_order_);
  if (role.is(RoleKind::probe_helper)) role.orders.send({.kind = OrderKind::drain});
}

void Session::bury(Role& role, int wait_status) {
  // It said all before it ended.
  serve_line(role.orders, 1u << static_cast<unsigned>(role.kind), &role);
  role.orders.close();
  role.runs = false;
  const bool well = WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0;
  if (phase_ == Phase::leaving || (phase_ == Phase::finishing && well && role.is_exporter())) role.ended = true;
  if (role.ended) return;
  if (role.changes_rights) {
    role.changes_rights = false;
    role.start_ms = now_ms();
  } else if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == kCouldNotStart) {
    role.ended = true;
    fail(1, std::string(program_of(role.kind)) + " could not be started.");
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
    fail(1, std::string(program_of(role.kind)) + " " + how +
                " for the fifth time within a minute; the capture ends here.");
    if (phase_ == Phase::finishing && role.is(RoleKind::collector)) leave();
    return;
  }
  role.start_ms = deaths == 1 ? now : now + (limits::kFirstBackoffMs << (deaths - 2));
  notice(std::string(program_of(role.kind)) + " " + how + " and is started again.");
}

}  // namespace oisp
