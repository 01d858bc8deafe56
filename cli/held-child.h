// A child that waits for a word before it executes its program. Forked before its parent changes
// anything about itself, so that the program finds signals, descriptors and limits untouched; a
// parent that dies first takes the child with it.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "base/owned-fd.h"
#include "base/result.h"

namespace oisp {

class HeldChild {
 public:
  // `prepare` runs in the child, after the word and before the execution.
  struct Program {
    std::string path;
    std::vector<std::string> words;
    std::function<Status()> prepare;
  };
  static Result<HeldChild> make(const Program& program);

  [[nodiscard]] pid_t pid() const { return pid_; }
  // Lets it execute its program; the errno of what failed, 0 where it runs.
  int let_go();
  // Ends it without a word. It is still to be reaped.
  void abandon();

 private:
  pid_t pid_ = -1;
  OwnedFd word_;    // written: go; closed: end
  OwnedFd answer_;  // read: errno of a failed execution; end of file: it runs
};

}  // namespace oisp
