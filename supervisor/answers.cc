// What peers may ask of the supervisor. Who may say what, and when, is one table; all else is refused:
// a role that says it is killed (and started again), a command line that does ends its session.
#include "base/clock.h"
#include "base/log.h"
#include "ipc-schema/sink.h"
#include "supervisor/sentences.h"
#include "supervisor/session.h"

namespace oisp {
namespace {

constexpr unsigned bit(Phase phase) { return 1u << static_cast<unsigned>(phase); }
constexpr unsigned kAsking = bit(Phase::asking);
constexpr unsigned kServing = bit(Phase::starting) | bit(Phase::running) | bit(Phase::finishing) | bit(Phase::leaving);

}  // namespace

// Who says it: a bit for each kind of role on its `orders`, and two more.
constexpr unsigned from(RoleKind kind) { return 1u << static_cast<unsigned>(kind); }
constexpr unsigned kFromExporters = from(RoleKind::exporter_jsonl) | from(RoleKind::exporter_terminal);
constexpr unsigned kFromCollector = from(RoleKind::collector);
constexpr unsigned kFromHelper = from(RoleKind::probe_helper);
constexpr unsigned kFromAnyRole = kFromExporters | kFromCollector | kFromHelper | from(RoleKind::file_opener);

struct Permission {
  OrderKind kind;
  unsigned from;
  unsigned phases;
  bool with_fd;
  void (Session::*answer)(Session::Role*, ReceivedOrder&);

  static const Permission* find(OrderKind kind, unsigned from, Phase phase, bool has_fd);
};

const Permission* Permission::find(OrderKind kind, unsigned from, Phase phase, bool has_fd) {
  static constexpr Permission kTable[] = {
      {OrderKind::watch, Session::kFromCommandLine, kAsking, false, &Session::answer_watch},
      {OrderKind::output, Session::kFromCommandLine, kAsking, true, &Session::answer_output},
      {OrderKind::file, Session::kFromCommandLine, kAsking, true, &Session::answer_file},
      {OrderKind::config, Session::kFromCommandLine, kAsking, false, &Session::answer_config},
      {OrderKind::begin, Session::kFromCommandLine, kAsking, false, &Session::answer_begin},
      {OrderKind::finish, Session::kFromCommandLine | Session::kFromLauncher, kAsking | kServing, false,
       &Session::answer_finish},
      {OrderKind::ready, kFromHelper | kFromCollector, kServing, false, &Session::answer_ready},
      {OrderKind::failed, kFromAnyRole, kServing, false, &Session::answer_failed},
      {OrderKind::notice, kFromAnyRole, kServing, false, &Session::answer_notice},
      {OrderKind::done, kFromCollector, kServing, false, &Session::answer_done},
      {OrderKind::ended, Session::kFromLauncher, kServing, false, &Session::answer_ended},
  };
  for (const Permission& row : kTable) {
    if (row.kind == kind && (row.from & from) != 0 && (row.phases & bit(phase)) != 0 && row.with_fd == has_fd) {
      return &row;
    }
  }
  return nullptr;
}

void Session::serve_line(OrderChannel& line, unsigned from, Role* role) {
  line.flush();
  for (unsigned i = 0; i < limits::kMostOrdersAtOnce; ++i) {
    auto received = line.receive();
    if (!received) return;
    if (const Permission* permission = Permission::find(received->order.kind, from, phase_, received->fd.valid())) {
      (this->*permission->answer)(role, *received);
      continue;
    }
    const char* who = from == kFromCommandLine ? "the command line" : "the launcher";
    log_warning("%s: order %u is not for it to give now", role != nullptr ? program_of(role->kind) : who,
                static_cast<unsigned>(received->order.kind));
    line.close();
  }
}

void Session::answer_watch(Role* /*role*/, ReceivedOrder& received) {
  if (watches_.size() >= limits::kMostWatches) return fail(1, "Too many processes to watch.");
  watches_.push_back(received.order);
}

void Session::answer_output(Role* /*role*/, ReceivedOrder& received) {
  const auto kind = static_cast<SinkKind>(received.order.detail);
  if (kind != SinkKind::jsonl && kind != SinkKind::terminal) return fail(1, "An output of unknown kind.");
  if (outputs_.size() >= limits::kMostOutputs) return fail(1, "Too many outputs.");
  outputs_.push_back(std::move(received));
}

void Session::answer_file(Role* /*role*/, ReceivedOrder& received) {
  if (files_.size() < limits::kMostFiles) files_.push_back(std::move(received));
}

void Session::answer_config(Role* /*role*/, ReceivedOrder& received) {
  if (configs_.size() >= limits::kMostConfigs) return fail(1, "Too many settings.");
  configs_.push_back(received.order);
}

void Session::answer_begin(Role* /*role*/, ReceivedOrder& /*received*/) {
  phase_ = Phase::starting;
  phase_deadline_ms_ = now_ms() + limits::kStartMs;
  add_role(RoleKind::collector, 0);
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    const bool lines = static_cast<SinkKind>(outputs_[i].order.detail) == SinkKind::jsonl;
    add_role(lines ? RoleKind::exporter_jsonl : RoleKind::exporter_terminal, i);
  }
  add_role(RoleKind::file_opener, 0);
  add_role(RoleKind::probe_helper, 0);
}

void Session::answer_finish(Role* /*role*/, ReceivedOrder& received) { finish(received.order); }

void Session::answer_ready(Role* role, ReceivedOrder& /*received*/) {
  role->is_ready = true;
  if (phase_ != Phase::starting) return;  // one that was started again
  for (const auto& other : roles_) {
    const bool counts = other->kind == RoleKind::probe_helper || other->kind == RoleKind::collector;
    if (counts && !other->is_ready) return;
  }
  phase_ = Phase::running;
  phase_deadline_ms_ = kNever;
  command_line_.send({.kind = OrderKind::ready});
}

void Session::answer_failed(Role* role, ReceivedOrder& received) {
  if (role->ended || role->changes_rights) return;  // once is enough
  const bool wants_more = received.order.text_view() == "needs_sys_admin";
  if (role->is(RoleKind::probe_helper) && wants_more && !role->for_perf) {
    role->for_perf = true;
    role->changes_rights = true;
    return;  // it ends now, and comes back with CAP_SYS_ADMIN
  }
  role->ended = true;
  if (!role->is(RoleKind::probe_helper)) return fail(received.order.detail, std::string(received.order.text_view()));
  const Refusal refusal = refusal_of(received.order.text_view(), received.order.detail);
  fail(refusal.exit_status, refusal.sentence);
}

void Session::answer_notice(Role* /*role*/, ReceivedOrder& received) {
  notice(std::string(received.order.text_view()));
}

void Session::answer_done(Role* /*role*/, ReceivedOrder& /*received*/) {
  if (phase_ == Phase::finishing) leave();
}

void Session::answer_ended(Role* /*role*/, ReceivedOrder& received) {
  for (const auto& role : roles_) {
    if (role->number == received.order.value && role->runs) bury(*role, received.order.detail);
  }
}

}  // namespace oisp
