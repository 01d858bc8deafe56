// Where a sink writes: a descriptor that the invoking user opened and others may share, so none of
// its flags are changed. Writing to a terminal or pipe that takes nothing ends with the session.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/owned-fd.h"
#include "base/result.h"

namespace oisp {

class Output {
 public:
  // `session` hangs up when the session is over; not owned.
  Output(OwnedFd fd, bool is_file, int session) : fd_(std::move(fd)), is_file_(is_file), session_(session) {}

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] bool is_file() const { return is_file_; }
  // Bytes written by all calls so far, those of a failed one included.
  [[nodiscard]] std::uint64_t written() const { return written_; }

  // Writes all of `bytes`, or fails with errno; ECANCELED when the session ended meanwhile.
  Status write(std::string_view bytes);

 private:
  Status wait_writable() const;

  OwnedFd fd_;
  bool is_file_;
  int session_;
  std::uint64_t written_ = 0;
};

}  // namespace oisp
