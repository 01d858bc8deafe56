// oisp-collector: turns kernel records into events.
//
// Reads what strangers wrote (plaintext of every watched TLS stream, names, arguments) and so has
// nothing to lose: no capability, no network, no file, an uid of its own. It talks to the supervisor
// (orders, fd 3), the probe helper (records in, credit out) and the exporters (events out, what was
// kept in). What it keeps of content has its secrets replaced before it leaves (collector/redact).
#include <fcntl.h>
#include <malloc.h>
#include <sys/prctl.h>

#include <cstdlib>

#include "base/event-loop/loop.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "collector/session.h"

namespace oisp {
namespace {

constexpr const char* kAllowed[] = {
    // the event loop
    "epoll_ctl",
    "epoll_wait",
    "epoll_pwait",
    "ioctl",
    "fcntl",
    "eventfd2",
    "timerfd_settime",
    // memory for later collectors
    "ftruncate",
    // orders, records, events
    "recvmsg",
    "recvfrom",
    "sendmsg",
    "sendto",
    "shutdown",
};

constexpr SandboxPolicy kSandbox{
    .allowed = kAllowed,
    .refused = {},
    .capabilities = {},
    .most_files = 64,
    .most_memory = std::uint64_t{2} << 30,  // bodies, queues and an event at their bounds, with room
};

int fail(const Fault& fault) {
  log_error("%s", fault.text().c_str());
  return 1;
}

// Bodies come and go. glibc would give each one's pages back and fault them in again for the next: three
// quarters of the time that a request of 1 MiB takes.
void keep_freed_memory() {
  constexpr int kKeptBytes = 16 << 20;
  (void)::mallopt(M_TRIM_THRESHOLD, kKeptBytes);
  (void)::mallopt(M_MMAP_THRESHOLD, kKeptBytes);
}

int run() {
  (void)::prctl(PR_SET_NAME, "oisp-collector", 0, 0, 0);
  set_log_name("oisp-collector");
  keep_freed_memory();
  OwnedFd orders(kOrdersFd);
  if (::fcntl(orders.get(), F_SETFD, FD_CLOEXEC) != 0) return fail(errno_fault("no orders on descriptor 3"));
  auto loop = Loop::make();
  if (!loop) return fail(loop.error());
  const HostFacts host = read_host_facts();
  Redactor redactor;
  if (const auto sandboxed = apply_sandbox(kSandbox); !sandboxed) return fail(sandboxed.error());

  Session session(**loop, host, redactor);
  if (const auto listening = session.listen(std::move(orders)); !listening) return fail(listening.error());
  (*loop)->run();
  return session.done() ? 0 : 1;
}

}  // namespace
}  // namespace oisp

int main() { return oisp::run(); }
