#include "base/event-loop/poll-fd.h"

#include <uv.h>

#include <utility>

#include "base/bug.h"
#include "base/event-loop/handle.h"

namespace oisp {

struct PollFd::State {
  uv_poll_t handle{};
  Ready ready;

  void on_poll(int status, int events) {
    if (status < 0) return ready(true, false);
    ready((events & (UV_READABLE | UV_DISCONNECT)) != 0, (events & UV_WRITABLE) != 0);
  }
};

void PollFd::Close::operator()(State* state) const { CloseHandle<State>{}(state); }

Result<std::unique_ptr<PollFd>> PollFd::make(Loop& loop, OwnedFd fd, Ready ready) {
  auto fresh = std::make_unique<State>();
  const int error = ::uv_poll_init(loop.raw(), &fresh->handle, fd.get());
  if (error != 0) return Fault{.what = "watch a descriptor", .error = -error};
  fresh->ready = std::move(ready);
  std::unique_ptr<State, Close> state(fresh.release());
  return std::unique_ptr<PollFd>(new PollFd(std::move(fd), std::move(state)));  // the constructor is private
}

PollFd::PollFd(OwnedFd fd, std::unique_ptr<State, Close> state) : fd_(std::move(fd)), state_(std::move(state)) {}
PollFd::~PollFd() = default;

void PollFd::wait_for(bool readable, bool writable) {
  const int events = (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0);
  if (events == events_) return;
  events_ = events;
  if (events == 0) {
    (void)::uv_poll_stop(&state_->handle);
    return;
  }
  const auto trampoline = [](uv_poll_t* handle, int status, int ready_events) noexcept {
    reinterpret_cast<State*>(handle)->on_poll(status, ready_events);
  };
  OISP_BUG_IF(::uv_poll_start(&state_->handle, events, trampoline) != 0);
}

}  // namespace oisp
