// Connections between roles: made by the supervisor, and by tests. Streams of Cap'n Proto frames.
#pragma once

#include <sys/socket.h>

#include "ipc-schema/order.h"

namespace oisp {

// A connected pair of SOCK_STREAM sockets, close-on-exec, with a send buffer of `send_buffer_bytes` each way (0:
// the default).
inline Result<SocketPair> make_stream_pair(int send_buffer_bytes) {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) return errno_fault("socketpair");
  SocketPair pair{.a = OwnedFd(fds[0]), .b = OwnedFd(fds[1])};
  for (const int fd : fds) {
    if (send_buffer_bytes == 0) break;
    if (::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_buffer_bytes, sizeof send_buffer_bytes) != 0) {
      return errno_fault("setsockopt SO_SNDBUF");
    }
  }
  return pair;
}

}  // namespace oisp
