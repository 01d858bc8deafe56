#include "cli/start-launcher.h"

#include <unistd.h>

#include <csignal>

#include "cli/installation.h"
#include "ipc-schema/order.h"

namespace oisp {
namespace {

// Not from PATH: what asks for the password is the system's.
constexpr const char* kSudo[] = {"/usr/bin/sudo", "/bin/sudo", "/usr/local/bin/sudo", "/run/wrappers/bin/sudo"};
constexpr const char* kPrompt = "[sudo] oisp-sensor needs root for its launcher; password for %p: ";

}  // namespace

std::string find_sudo() {
  for (const char* sudo : kSudo) {
    if (::access(sudo, F_OK) == 0) return sudo;
  }
  return {};
}

Result<HeldLauncher, Refusal> make_launcher() {
  auto launcher = find_part("oisp-launcher");
  if (!launcher) return launcher.error();
  HeldChild::Program program{.path = *launcher, .words = {*launcher}, .prepare = nullptr};
  const bool through_sudo = ::geteuid() != 0;
  if (through_sudo) {
    program.path = find_sudo();
    program.words = {"sudo", "-p", kPrompt, "--", *launcher};
    if (program.path.empty()) {
      return Refusal{kNoPermission, "Capturing needs root, and sudo is not installed; run this as root."};
    }
  }
  auto pair = make_order_pair();
  if (!pair) return Refusal{kFailure, pair.error().text()};
  // Its words go to stderr: stdout is CMD's alone.
  program.prepare = [socket = pair->b.get()]() -> Status {
    sigset_t none;
    ::sigemptyset(&none);
    (void)::sigprocmask(SIG_SETMASK, &none, nullptr);
    if (::dup2(socket, STDIN_FILENO) < 0 || ::dup2(STDERR_FILENO, STDOUT_FILENO) < 0) return errno_fault("dup2");
    return Done{};
  };
  auto child = HeldChild::make(program);
  if (!child) return Refusal{kFailure, child.error().text()};
  return HeldLauncher{.child = std::move(*child), .connection = std::move(pair->a), .through_sudo = through_sudo};
}

}  // namespace oisp
