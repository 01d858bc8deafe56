#include "cli/capture.h"

#include <poll.h>
#include <sys/capability.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <memory>

#include "base/clock.h"
#include "base/log.h"

namespace oisp {
namespace {

constexpr std::size_t kMostQueued = 2048;
constexpr std::size_t kMostHeld = 1024;
// A stop seen so soon after we were continued is the one that just ended, for both of us.
constexpr std::int64_t kStaleStopMs = 100;
constexpr std::int64_t kReapMs = 3'000;
constexpr int kSignals[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGCHLD, SIGCONT};

OwnedFd make_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : kSignals) ::sigaddset(&set, signal);
  (void)::sigprocmask(SIG_BLOCK, &set, nullptr);
  (void)::signal(SIGCHLD, SIG_DFL);  // whoever called us may have had it ignored
  (void)::signal(SIGPIPE, SIG_IGN);
  return OwnedFd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

// What a session that failed may say of it.
int failure_of(int detail) { return detail < 0 || detail > kUnsupported ? kFailure : detail; }

int status_for_shell(int wait_status) {
  return WIFSIGNALED(wait_status) ? kSignalled + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

std::string names_of(std::uint64_t capabilities) {
  std::string names;
  for (int one = 0; one < 64; ++one) {
    if ((capabilities >> one & 1) == 0) continue;
    const std::unique_ptr<char, int (*)(void*)> name(::cap_to_name(one), ::cap_free);
    names += std::string(" ") + (name ? name.get() : "?");
  }
  return names;
}

// The launcher, which is root, makes no sentences.
std::string why_failed(const Order& order) {
  if (!order.text_view().empty()) return printable(order.text_view(), sizeof order.text);
  if (order.value != 0) return "Capturing needs capabilities that root has not got here:" + names_of(order.value);
  if (order.detail == kNoPermission) return "Capturing needs root.";
  if (order.detail == kUnsupported) {
    return "This runs in a container's own pid namespace, where processes cannot be told apart; run oisp-sensor on the "
           "host, or with --pid=host.";
  }
  return "The capture failed.";
}

}  // namespace

Capture::Capture(HeldLauncher launcher, std::optional<HeldChild> command)
    : launcher_child_(std::move(launcher.child)),
      through_sudo_(launcher.through_sudo),
      launcher_(std::move(launcher.connection), kMostQueued),
      command_(std::move(command)),
      signals_(make_signals()) {}

int Capture::run() {
  if (const int error = launcher_child_.let_go(); error != 0) {
    tell_user(std::string("The launcher cannot be started: ") + std::strerror(error));
    give_up(kFailure);
  }
  while (phase_ != Phase::over || command_runs()) {
    wait();
    serve_signals();
    serve_launcher();
    serve_children();
  }
  reap_launcher();
  if (exit_status_) return *exit_status_;
  if (command_status_) return status_for_shell(*command_status_);
  return failure_;
}

// So that nothing of ours is left when we are gone. A sudo that still asks for a password is not
// ours to end.
void Capture::reap_launcher() {
  const std::int64_t end = now_ms() + kReapMs;
  pollfd set{.fd = signals_.get(), .events = POLLIN, .revents = 0};
  for (serve_children(); !launcher_ended_ && now_ms() < end; serve_children()) {
    (void)::poll(&set, 1, static_cast<int>(kReapMs / 10));
    serve_signals();
  }
}

void Capture::wait() {
  pollfd set[] = {{.fd = launcher_.fd(),
                   .events = static_cast<short>(launcher_.has_queued() ? POLLIN | POLLOUT : POLLIN),
                   .revents = 0},
                  {.fd = signals_.get(), .events = POLLIN, .revents = 0}};
  (void)::poll(set, std::size(set), -1);
}

void Capture::serve_launcher() {
  if (!launcher_.open()) return;
  launcher_.flush();
  while (auto received = launcher_.receive()) serve_order(received->order);
  if (!launcher_.open() && phase_ != Phase::over) launcher_gone();
}

void Capture::serve_order(const Order& order) {
  heard_ = true;
  switch (order.kind) {
    case OrderKind::ready:
      if (phase_ != Phase::starting) return;
      was_ready_ = true;
      phase_ = Phase::running;
      if (command_) let_command_go();
      return;
    case OrderKind::failed:
      tell_user(why_failed(order));
      if (failure_ == 0) failure_ = order.detail == 0 ? kFailure : failure_of(order.detail);
      if (phase_ == Phase::running && command_) tell_user("The capture ends here; the command goes on.");
      if (!was_ready_ && command_) exit_status_ = failure_;
      return;
    case OrderKind::notice:
      return tell_user(printable(order.text_view(), sizeof order.text));
    case OrderKind::held:
      if (held_.size() < kMostHeld) held_.push_back(static_cast<pid_t>(order.value));
      return;
    case OrderKind::release:
      std::erase(held_, static_cast<pid_t>(order.value));
      return;
    case OrderKind::done:
      if (failure_ == 0) failure_ = failure_of(order.detail);
      if (failure_ != 0) continue_held();
      held_.clear();
      if (!was_ready_ && command_ && !exit_status_) exit_status_ = kFailure;
      if (!was_ready_ && command_) command_->abandon();
      phase_ = Phase::over;
      return;
    default:
      return;  // not for us
  }
}

// Without `done`.
void Capture::launcher_gone() {
  phase_ = Phase::over;
  continue_held();
  if (exit_status_ && !heard_) return;  // the user ended it before it began
  if (failure_ == 0) {
    failure_ = kFailure;
    if (!heard_ && through_sudo_) {
      failure_ = kNoPermission;
      tell_user(
          "Capturing needs root, and sudo did not start the launcher; ask for the right to run it, or run this as "
          "root.");
    } else if (!was_ready_) {
      tell_user("The launcher ended without a word; nothing is captured.");
    } else {
      tell_user(command_runs()
                    ? "The launcher or the supervisor was killed: nothing is captured any more. The command goes on."
                    : "The launcher or the supervisor was killed: the last events may be missing.");
    }
  }
  if (!was_ready_ && command_) {
    if (!exit_status_) exit_status_ = failure_;
    command_->abandon();
  }
}

// Nobody else is left to do it. SIGCONT does no harm to a process that took over the number, nor to
// our own group, where CMD is: one of it may have been stopped without a word to the launcher.
void Capture::continue_held() {
  for (const pid_t pid : held_) (void)::kill(pid, SIGCONT);
  held_.clear();
  if (command_runs()) (void)::kill(0, SIGCONT);
}

void Capture::let_command_go() {
  const int error = command_->let_go();
  if (error == 0) return;
  tell_user(std::string("The command cannot be executed: ") + std::strerror(error));
  exit_status_ = error == ENOENT ? kNotFound : kNotExecutable;
}

void Capture::serve_signals() {
  signalfd_siginfo info{};
  while (::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    const auto signal = static_cast<int>(info.ssi_signo);
    if (signal == SIGCONT) {
      continued_ms_ = now_ms();
    } else if (signal != SIGCHLD) {
      serve_signal(signal, info.ssi_code <= 0);
    }
  }
}

void Capture::serve_signal(int signal, bool from_a_process) {
  if (phase_ == Phase::starting) return give_up(kSignalled + signal);
  if (!command_) return finish(0, true);
  // From the terminal's keys CMD has it already: it is in our process group.
  const bool from_keys = (signal == SIGINT || signal == SIGQUIT) && !from_a_process;
  if (command_runs() && !from_keys) (void)::kill(command_->pid(), signal);
  if (signal != SIGTERM && signal != SIGHUP) return;
  // CMD decides when it ends; who asks twice does not want to wait for it.
  if (ask_again_ && command_runs()) {
    finish(0, true);
    exit_status_ = kSignalled + signal;
    command_.reset();
  }
  ask_again_ = true;
}

void Capture::serve_children() {
  int status = 0;
  if (command_runs()) {
    const pid_t pid = ::waitpid(command_->pid(), &status, WNOHANG | WUNTRACED);
    if (pid == command_->pid()) WIFSTOPPED(status) ? command_stopped(WSTOPSIG(status)) : command_ended(status);
  }
  if (!launcher_ended_) launcher_ended_ = ::waitpid(launcher_child_.pid(), &status, WNOHANG) != 0;
}

void Capture::command_ended(int wait_status) {
  command_status_ = wait_status;
  if (was_ready_) return finish(static_cast<std::uint64_t>(wait_status), false);
  // While it still waited to begin: by a signal meant for both of us.
  if (phase_ == Phase::over) return;  // abandoned
  give_up(status_for_shell(wait_status));
}

// A program that stops by itself (SIGSTOP is the sensor's own, while it probes): our shell waits for
// us, so we stop too.
void Capture::command_stopped(int signal) {
  const bool job_control = signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
  if (job_control && now_ms() - continued_ms_ > kStaleStopMs) (void)::raise(SIGTSTP);
}

void Capture::finish(std::uint64_t wait_status, bool interrupted) {
  if (phase_ == Phase::finishing || phase_ == Phase::over) return;
  phase_ = Phase::finishing;
  launcher_.send({.kind = OrderKind::finish, .detail = interrupted ? 1 : 0, .value = wait_status});
}

// Before anything was captured: the launcher sees the end of its connection and leaves.
void Capture::give_up(int exit_status) {
  failure_ = exit_status;
  if (command_) {
    command_->abandon();
    exit_status_ = exit_status;
  }
  launcher_.close();
  phase_ = Phase::over;
}

}  // namespace oisp
