// oisp-supervisor: runs a session. It takes the command line's wishes, decides which role is to be started,
// connected, started again or given up, and when all is over. What needs root it asks of the launcher.
//
// Has no privilege, and parses nothing: it reads fixed-size orders from the command line (descriptor 0), the
// launcher (descriptor 3) and the roles, and sees nothing of what they capture.
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>

#include "base/log.h"
#include "base/sandbox.h"
#include "supervisor/session.h"

namespace oisp {
namespace {

constexpr const char* kAllowed[] = {"fcntl", "poll", "ppoll", "recvmsg", "sendmsg", "setsockopt", "socketpair"};

int run() {
  (void)::signal(SIGPIPE, SIG_IGN);  // whoever read our words may be gone
  OwnedFd command_line(STDIN_FILENO);
  OwnedFd launcher(kOrdersFd);
  OwnedFd memory(::memfd_create("oisp-collector", MFD_CLOEXEC));
  const Status sandboxed = apply_sandbox({.allowed = kAllowed,
                                          .refused = {},
                                          .capabilities = {},
                                          .most_files = limits::kMostOpenFiles,
                                          .most_memory = limits::kMostMemoryBytes});
  if (!sandboxed || !memory) {
    log_error("%s", sandboxed ? "no memory for collectors" : sandboxed.error().text().c_str());
    return 1;
  }
  Session session(std::move(command_line), std::move(launcher), std::move(memory));
  // The launcher takes the end of its line for ours, so it must not come before our status does.
  ::_exit(session.run());
}

}  // namespace
}  // namespace oisp

int main() {
  (void)::prctl(PR_SET_NAME, "oisp-supervisor", 0, 0, 0);
  oisp::set_log_name("oisp-supervisor");
  return oisp::run();
}
