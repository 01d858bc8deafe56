#include "cli/scan-file.h"

#include <linux/close_range.h>
#include <sys/wait.h>

#include <csignal>
#include <cstdlib>

#include "base/message.h"
#include "cli/held-child.h"
#include "ipc-schema/order.h"

namespace oisp {
namespace {

// In the scanner's process: the connection, where it looks for it, and nothing else of the caller's. What it
// says of itself goes to stderr.
Status leave_all_but(int connection) {
  if (::dup2(connection, STDIN_FILENO) < 0 || ::dup2(STDERR_FILENO, STDOUT_FILENO) < 0) return errno_fault("dup2");
  if (::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) != 0) return errno_fault("close_range");
  (void)::clearenv();
  return Done{};
}

// The scanner read a stranger's file: what it says is checked.
bool makes_sense(const oisp_scan_answer& answer) {
  const bool found = answer.outcome == OISP_SCAN_FOUND;
  return answer.outcome >= OISP_SCAN_FOUND && answer.outcome <= OISP_SCAN_UNSUPPORTED &&
         answer.site_count <= OISP_SCAN_MOST_SITES && found == (answer.site_count > 0);
}

Fault no_answer(int wait_status) {
  if (!WIFSIGNALED(wait_status)) return fault("the elf-scanner gave no answer");
  const int signal = WTERMSIG(wait_status);
  if (signal == SIGXCPU || signal == SIGKILL || signal == SIGALRM) return fault("it takes too long to scan");
  return fault(std::string("the elf-scanner died of it (") + ::strsignal(signal) + ")");
}

}  // namespace

Result<oisp_scan_answer> scan_file(const std::string& scanner, int file) {
  auto pair = make_order_pair();
  if (!pair) return pair.error();
  auto child = HeldChild::make({.path = scanner, .words = {"oisp-elf-scanner"}, .prepare = [socket = pair->b.get()] {
                                  return leave_all_but(socket);
                                }});
  if (!child) return child.error();
  pair->b.reset();
  const int error = child->let_go();
  oisp_scan_answer answer{};
  bool answered = false;
  if (error == 0 && send_order(pair->a.get(), {.kind = OrderKind::file}, file)) {
    const auto received = receive_message(pair->a.get(), &answer, sizeof answer);
    answered = received && received.value() && makes_sense(answer);
  }
  pair->a.reset();
  int status = 0;
  (void)::waitpid(child->pid(), &status, 0);
  if (error != 0) return Fault{.what = "start " + scanner, .error = error};
  if (!answered) return no_answer(status);
  return answer;
}

}  // namespace oisp
