// The event loop of one process. Here, and in this folder's other files, is all that knows libuv.
//
// Who waits for something owns a handle (Timer, PollFd, ByteStream), and the loop outlives them all.
// A handle may be destroyed in its own callback. Callbacks never throw.
#pragma once

#include <cstdint>
#include <memory>

#include "base/result.h"

struct uv_loop_s;

namespace oisp {

class Loop {
 public:
  // Opens what the loop needs of the kernel: call before the sandbox is on.
  static Result<std::unique_ptr<Loop>> make();
  // Every handle must be gone by now: one that is left is a bug.
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Returns after stop(), or when no handle waits for anything.
  void run();
  void stop();
  // CLOCK_MONOTONIC, as of the start of this turn of the loop.
  [[nodiscard]] std::uint64_t now_ms() const;

  [[nodiscard]] uv_loop_s* raw() { return loop_.get(); }

 private:
  explicit Loop(std::unique_ptr<uv_loop_s> loop);

  std::unique_ptr<uv_loop_s> loop_;
};

}  // namespace oisp
