#include "base/event-loop/timer.h"

#include <uv.h>

#include <utility>

#include "base/bug.h"
#include "base/event-loop/handle.h"

namespace oisp {

struct Timer::State {
  uv_timer_t handle{};
  std::function<void()> on_time;
};

void Timer::Close::operator()(State* state) const { CloseHandle<State>{}(state); }

Timer::Timer(Loop& loop, std::function<void()> on_time) : state_(new State) {
  state_->on_time = std::move(on_time);
  OISP_BUG_IF(::uv_timer_init(loop.raw(), &state_->handle) != 0);
}

Timer::~Timer() = default;

void Timer::start(std::uint64_t after_ms, std::uint64_t repeat_ms) {
  const auto trampoline = [](uv_timer_t* handle) noexcept { reinterpret_cast<State*>(handle)->on_time(); };
  OISP_BUG_IF(::uv_timer_start(&state_->handle, trampoline, after_ms, repeat_ms) != 0);
}

void Timer::stop() { (void)::uv_timer_stop(&state_->handle); }

}  // namespace oisp
