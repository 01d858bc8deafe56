// A descriptor of any kind on the loop: says when it can be read or written, and does neither.
#pragma once

#include <functional>
#include <memory>

#include "base/event-loop/loop.h"
#include "base/owned-fd.h"

namespace oisp {

class PollFd {
 public:
  // `ready` is called with what can be done now; an error or a hang-up counts as readable, so that
  // the read shows it.
  using Ready = std::function<void(bool readable, bool writable)>;

  // Takes the descriptor and makes it non-blocking.
  static Result<std::unique_ptr<PollFd>> make(Loop& loop, OwnedFd fd, Ready ready);
  ~PollFd();
  PollFd(const PollFd&) = delete;
  PollFd& operator=(const PollFd&) = delete;

  void wait_for(bool readable, bool writable);
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  struct State;
  struct Close {
    void operator()(State* state) const;
  };
  PollFd(OwnedFd fd, std::unique_ptr<State, Close> state);

  // libuv must let go of the descriptor before it is closed: members are destroyed last to first.
  OwnedFd fd_;
  std::unique_ptr<State, Close> state_;
  int events_ = 0;
};

}  // namespace oisp
