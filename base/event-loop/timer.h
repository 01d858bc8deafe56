// A timer on the loop.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "base/event-loop/loop.h"

namespace oisp {

class Timer {
 public:
  Timer(Loop& loop, std::function<void()> on_time);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Calls once after `after_ms`, and then every `repeat_ms` where that is not 0. Starting again moves it.
  void start(std::uint64_t after_ms, std::uint64_t repeat_ms = 0);
  void stop();

 private:
  struct State;
  struct Close {
    void operator()(State* state) const;
  };
  std::unique_ptr<State, Close> state_;
};

}  // namespace oisp
