// Processes that the kernel program stopped until their files are probed. Who they are is read from
// the program's own list, in memory shared with it: whatever the helper does, says or forgets, each goes on.
#include <linux/bpf.h>
#include <poll.h>
#include <sys/syscall.h>

#include <csignal>

#include "base/clock.h"
#include "base/pidfd.h"
#include "launcher/hands.h"

namespace oisp {
namespace {

std::uint32_t tgid_of(__u64 slot) { return static_cast<std::uint32_t>(slot >> 32); }

// The only signal that the launcher ever sends to a process that is not a role of its own. The program
// stops a process before it lists it, so who is taken from the list first and continued then stands
// still no more; and who is on the list lives, so the number is not another's.
void continue_process(__u64& slot) {
  __u64 listed = __atomic_load_n(&slot, __ATOMIC_ACQUIRE);
  const OwnedFd process = open_pidfd(static_cast<pid_t>(tgid_of(listed)));
  const bool taken =
      listed != 0 && __atomic_compare_exchange_n(&slot, &listed, __u64{0}, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
  if (taken && process) (void)signal_pidfd(process.get(), SIGCONT);
}

}  // namespace

// Of a map alone: other memory might be taken away while it is looked at.
bool Hands::share_control(const OwnedFd& map) {
  bpf_map_info info{};
  bpf_attr call{};
  call.info.bpf_fd = static_cast<__u32>(map.get());
  call.info.info_len = sizeof info;
  call.info.info = reinterpret_cast<std::uintptr_t>(&info);
  if (::syscall(SYS_bpf, BPF_OBJ_GET_INFO_BY_FD, &call, sizeof call) != 0) return false;
  auto control = map_shared<oisp_control>(map.get(), sizeof(oisp_control), PROT_READ | PROT_WRITE);
  if (control) control_ = std::move(*control);
  return control.ok();
}

void Hands::let_go(std::uint32_t tgid) {
  for (std::size_t i = 0; control_ && i < OISP_HELD_SLOTS; ++i) {
    if (tgid_of(control_->held[i]) == tgid) continue_process(control_->held[i]);
  }
}

void Hands::look_at_held(std::int64_t patience_ms) {
  const auto now = static_cast<std::uint32_t>(read_clock_ns(CLOCK_BOOTTIME) / OISP_HELD_UNIT_NS);
  std::set<std::uint32_t> standing;
  for (std::size_t i = 0; control_ && i < OISP_HELD_SLOTS; ++i) {
    const __u64 slot = __atomic_load_n(&control_->held[i], __ATOMIC_ACQUIRE);
    // A stop in a time to come, which only a helper can have put there, is one of long ago.
    if (slot != 0 && now - static_cast<std::uint32_t>(slot) >= patience_ms) {
      continue_process(control_->held[i]);
    } else if (slot != 0) {
      standing.insert(tgid_of(slot));
    }
  }
  // The command line continues whom it was told of, should this process be killed. Where it does not keep
  // up it is told less: the session does not hang on that.
  for (const std::uint32_t one : standing) {
    if (!held_.contains(one)) (void)send_order(command_line_.get(), {.kind = OrderKind::held, .value = one});
  }
  for (const std::uint32_t one : held_) {
    if (!standing.contains(one)) (void)send_order(command_line_.get(), {.kind = OrderKind::release, .value = one});
  }
  held_ = std::move(standing);
}

// A stop comes with a record in the ring of files, which wakes us; the helper takes it out only after it
// has told us. As long as there is one, or a process stands still, the list is looked at again and
// again. Else nothing wakes us.
void Hands::serve_held() {
  const std::int64_t now = now_ms();
  if (held_due_ms_ != kNever && held_due_ms_ > now) return;
  pollfd ring{.fd = parts_[OISP_PART_FILES].get(), .events = POLLIN, .revents = 0};
  const bool stirs = ::poll(&ring, 1, 0) == 1;
  if (held_due_ms_ == kNever && !stirs) return;
  look_at_held(kHeldMs);
  held_due_ms_ = stirs || !held_.empty() ? now + kHeldLookMs : kNever;
}

// Without a helper nobody probes. What was just being stopped, is found when the list is looked at again.
void Hands::stop_holding() {
  if (control_) control_->hold = 0;
  look_at_held(0);
  held_due_ms_ = 0;
}

}  // namespace oisp
