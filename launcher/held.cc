// Processes that the kernel program stopped until their files are probed. Who they are is read from
// the program's own list, the map `held`: whatever the helper does, says or forgets, each goes on.
#include <linux/bpf.h>
#include <poll.h>
#include <sys/syscall.h>

#include <csignal>

#include "base/clock.h"
#include "base/pidfd.h"
#include "bpf/shared-maps.h"
#include "launcher/hands.h"

namespace oisp {
namespace {

// bpf(2) on one element of a map. `value` is the next key for BPF_MAP_GET_NEXT_KEY.
bool call_map(bpf_cmd command, const OwnedFd& map, const void* key, void* value = nullptr) {
  bpf_attr call{};
  call.map_fd = static_cast<__u32>(map.get());
  call.key = reinterpret_cast<std::uintptr_t>(key);
  call.value = reinterpret_cast<std::uintptr_t>(value);
  return ::syscall(SYS_bpf, command, &call, sizeof call) == 0;
}

}  // namespace

// The kernel writes a whole key or value to where it is told: a map of another form would overwrite us.
bool Hands::is_as_declared(std::uint64_t key, const OwnedFd& map) {
  const bool is_list = key == OISP_PART_HELD;
  if (!is_list && key != OISP_PART_CONTROL) return true;  // never looked into
  bpf_map_info info{};
  bpf_attr call{};
  call.info.bpf_fd = static_cast<__u32>(map.get());
  call.info.info_len = sizeof info;
  call.info.info = reinterpret_cast<std::uintptr_t>(&info);
  if (::syscall(SYS_bpf, BPF_OBJ_GET_INFO_BY_FD, &call, sizeof call) != 0) return false;
  return info.type == (is_list ? BPF_MAP_TYPE_HASH : BPF_MAP_TYPE_ARRAY) && info.key_size == sizeof(std::uint32_t) &&
         info.value_size == (is_list ? sizeof(std::uint64_t) : sizeof(oisp_control));
}

// The only signal that the launcher ever sends to a process that is not a role of its own. The program
// stops a process before it lists it, so what is taken from the list first and continued then stands
// still no more; and who is on the list lives, so the number is not another's.
void Hands::let_go(std::uint32_t tgid) {
  const OwnedFd process = open_pidfd(static_cast<pid_t>(tgid));
  const bool listed = call_map(BPF_MAP_DELETE_ELEM, parts_[OISP_PART_HELD], &tgid);
  if (listed && process) (void)signal_pidfd(process.get(), SIGCONT);
}

void Hands::look_at_held(std::int64_t patience_ms) {
  const OwnedFd& list = parts_[OISP_PART_HELD];
  std::set<std::uint32_t> listed;
  std::uint32_t tgid = 0;
  for (const std::uint32_t* last = nullptr;
       listed.size() < limits::kMostHeld && call_map(BPF_MAP_GET_NEXT_KEY, list, last, &tgid); last = &tgid) {
    listed.insert(tgid);
  }
  const auto now_ns = static_cast<std::uint64_t>(read_clock_ns(CLOCK_BOOTTIME));  // the program's clock
  const std::uint64_t patience_ns = static_cast<std::uint64_t>(patience_ms) * 1'000'000;
  std::erase_if(listed, [&](std::uint32_t one) {
    std::uint64_t since_ns = 0;
    const bool stands = call_map(BPF_MAP_LOOKUP_ELEM, list, &one, &since_ns);
    // Not within `patience` of now, before or after: a time to come, only a helper can have put there.
    const bool is_due = stands && now_ns + patience_ns - since_ns >= 2 * patience_ns;
    if (is_due) let_go(one);
    return !stands || is_due;
  });
  // The command line continues whom it was told of, should this process be killed. Where it does not keep
  // up it is told less: the session does not hang on that.
  for (const std::uint32_t one : listed) {
    if (!held_.contains(one)) (void)send_order(command_line_.get(), {.kind = OrderKind::held, .value = one});
  }
  for (const std::uint32_t one : held_) {
    if (!listed.contains(one)) (void)send_order(command_line_.get(), {.kind = OrderKind::release, .value = one});
  }
  held_ = std::move(listed);
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
  look_at_held(limits::kHeldMs);
  held_due_ms_ = stirs || !held_.empty() ? now + limits::kHeldLookMs : kNever;
}

// Without a helper nobody probes. What was just being stopped, is found when the list is looked at again.
void Hands::stop_holding() {
  const std::uint32_t zero = 0;
  oisp_control control{};
  const OwnedFd& map = parts_[OISP_PART_CONTROL];
  if (call_map(BPF_MAP_LOOKUP_ELEM, map, &zero, &control)) {
    control.hold = 0;
    (void)call_map(BPF_MAP_UPDATE_ELEM, map, &zero, &control);
  }
  look_at_held(0);
  held_due_ms_ = 0;
}

}  // namespace oisp
