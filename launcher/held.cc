// Processes that the kernel program stopped until their files are probed. Who they are is read from
// the program's own list, the map `held`: whatever the helper does, says or forgets, each goes on.
#include <linux/bpf.h>
#include <poll.h>
#include <sys/syscall.h>

#include <csignal>

#include "base/clock.h"
#include "base/pidfd.h"
#include "bpf/shared-maps.h"
#include "launcher/session.h"

namespace oisp {
namespace {

// bpf(2) on one element of a map. `value` is the next key for BPF_MAP_GET_NEXT_KEY.
bool call_map(bpf_cmd command, int map, const void* key, void* value = nullptr) {
  bpf_attr call{};
  call.map_fd = static_cast<__u32>(map);
  call.key = reinterpret_cast<std::uintptr_t>(key);
  call.value = reinterpret_cast<std::uintptr_t>(value);
  return ::syscall(SYS_bpf, command, &call, sizeof call) == 0;
}

}  // namespace

int Session::kept_map(std::string_view name) const {
  const auto found = kept_.find(name);
  return found == kept_.end() ? -1 : found->second.get();
}

// The only signal that the launcher ever sends to a process that is not a role of its own. The program
// stops a process before it lists it, so what is taken from the list first and continued then stands
// still no more; and who is on the list lives, so the number is not another's.
void Session::let_go(std::uint32_t tgid) {
  const OwnedFd process = open_pidfd(static_cast<pid_t>(tgid));
  const bool listed = call_map(BPF_MAP_DELETE_ELEM, kept_map("map:held"), &tgid);
  if (listed && process) (void)signal_pidfd(process.get(), SIGCONT);
  // The command line continues whom it was told of, should this process be killed. Where it does not keep
  // up it is told less: the session does not hang on that.
  if (held_.erase(tgid) != 0) (void)send_order(command_line_.get(), {.kind = OrderKind::release, .value = tgid});
}

void Session::answer_held(Role* /*role*/, ReceivedOrder& /*received*/) { held_due_ms_ = 0; }

void Session::answer_release(Role* /*role*/, ReceivedOrder& received) {
  let_go(static_cast<std::uint32_t>(received.order.value));
}

void Session::look_at_held(std::int64_t patience_ms) {
  const int list = kept_map("map:held");
  std::set<std::uint32_t> listed;
  std::uint32_t tgid = 0;
  for (const std::uint32_t* last = nullptr;
       listed.size() < limits::kMostHeld && call_map(BPF_MAP_GET_NEXT_KEY, list, last, &tgid); last = &tgid) {
    listed.insert(tgid);
  }
  const std::int64_t now_ns = read_clock_ns(CLOCK_BOOTTIME);  // the kernel program's clock
  for (const std::uint32_t one : std::set(held_)) {
    if (!listed.contains(one)) let_go(one);  // it ended
  }
  for (const std::uint32_t one : listed) {
    std::uint64_t since_ns = 0;
    if (!call_map(BPF_MAP_LOOKUP_ELEM, list, &one, &since_ns)) continue;
    if (now_ns - static_cast<std::int64_t>(since_ns) >= patience_ms * 1'000'000) {
      let_go(one);
    } else if (held_.insert(one).second) {
      (void)send_order(command_line_.get(), {.kind = OrderKind::held, .value = one});
    }
  }
}

// A stop comes with a record in the ring of files, which wakes us; the helper takes it out only after it
// has told us. As long as there is one, or a process stands still, the list is looked at again and
// again. Else nothing wakes us.
void Session::serve_held(std::int64_t now) {
  if (held_due_ms_ != kNever && held_due_ms_ > now) return;
  pollfd ring{.fd = kept_map("map:files"), .events = POLLIN, .revents = 0};
  const bool stirs = ::poll(&ring, 1, 0) == 1;
  if (held_due_ms_ == kNever && !stirs) return;
  look_at_held(limits::kHeldMs);
  held_due_ms_ = stirs || !held_.empty() ? now + limits::kHeldLookMs : kNever;
}

// Without a helper nobody probes. What was just being stopped, is found when the list is looked at again.
void Session::stop_holding() {
  const std::uint32_t zero = 0;
  oisp_control control{};
  if (call_map(BPF_MAP_LOOKUP_ELEM, kept_map("map:control"), &zero, &control)) {
    control.hold = 0;
    (void)call_map(BPF_MAP_UPDATE_ELEM, kept_map("map:control"), &zero, &control);
  }
  look_at_held(0);
  held_due_ms_ = now_ms() + limits::kHeldLookMs;
}

}  // namespace oisp
