#include "exporters/common/output.h"

#include <poll.h>

#include <algorithm>

#include "exporters/common/limits.h"

namespace oisp {

Status Output::wait_writable() const {
  while (true) {
    pollfd fds[2] = {{.fd = fd_.get(), .events = POLLOUT, .revents = 0}, {.fd = session_, .events = 0, .revents = 0}};
    const int ready = ::poll(fds, 2, -1);
    if (ready < 0 && errno != EINTR) return errno_fault("poll");
    if (ready <= 0) continue;
    if (fds[0].revents != 0) return Done{};  // an error shows in write(2)
    if (fds[1].revents != 0) return Fault{.what = "the session is over", .error = ECANCELED};
  }
}

Status Output::write(std::string_view bytes) {
  while (!bytes.empty()) {
    std::size_t size = bytes.size();
    if (!is_file_) {
      OISP_TRY(wait_writable());
      size = std::min(size, kMostStreamWriteBytes);
    }
    const ssize_t wrote = ::write(fd_.get(), bytes.data(), size);
    if (wrote < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (wrote < 0) return errno_fault("write");
    if (wrote == 0) return Fault{.what = "write", .error = ENOSPC};
    written_ += static_cast<std::uint64_t>(wrote);
    bytes.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return Done{};
}

}  // namespace oisp
