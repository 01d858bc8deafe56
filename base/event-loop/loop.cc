#include "base/event-loop/loop.h"

#include <uv.h>

#include <utility>

#include "base/bug.h"

namespace oisp {

Result<std::unique_ptr<Loop>> Loop::make() {
  auto loop = std::make_unique<uv_loop_t>();
  const int error = ::uv_loop_init(loop.get());
  if (error != 0) return Fault{.what = "event loop", .error = -error};
  ::uv_update_time(loop.get());
  return std::unique_ptr<Loop>(new Loop(std::move(loop)));  // the constructor is private
}

Loop::Loop(std::unique_ptr<uv_loop_s> loop) : loop_(std::move(loop)) {}

Loop::~Loop() {
  (void)::uv_run(loop_.get(), UV_RUN_NOWAIT);  // the close callbacks of handles that went last
  OISP_BUG_IF(::uv_loop_close(loop_.get()) != 0);
}

void Loop::run() { (void)::uv_run(loop_.get(), UV_RUN_DEFAULT); }
void Loop::stop() { ::uv_stop(loop_.get()); }
std::uint64_t Loop::now_ms() const { return ::uv_now(loop_.get()); }

}  // namespace oisp
