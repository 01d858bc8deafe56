#include "base/message.h"

#include <sys/socket.h>
#include <sys/uio.h>

namespace oisp {

Status send_message(int socket, const void* message, std::size_t size, int fd, int flags) {
  iovec part{.iov_base = const_cast<void*>(message), .iov_len = size};  // sendmsg only reads it
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof fd)] = {};
  if (fd >= 0) {
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(rights), &fd, sizeof fd);
  }
  ssize_t sent = 0;
  do {
    sent = ::sendmsg(socket, &header, flags | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) return errno_fault("send a message");
  return Done{};
}

Result<std::optional<OwnedFd>> receive_message(int socket, void* message, std::size_t size, int flags) {
  iovec part{.iov_base = message, .iov_len = size};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  // Room for more than one, so that a peer that sends several is refused with all of them closed.
  alignas(cmsghdr) char control[CMSG_SPACE(8 * sizeof(int))] = {};
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  ssize_t got = 0;
  do {
    got = ::recvmsg(socket, &header, flags | MSG_CMSG_CLOEXEC);
    // ECONNRESET is said once, where the peer went without reading all; what it had sent comes after.
  } while (got < 0 && (errno == EINTR || errno == ECONNRESET));
  if (got < 0) return errno_fault("receive a message");

  OwnedFd fd;
  std::size_t descriptors = 0;
  for (cmsghdr* rights = CMSG_FIRSTHDR(&header); rights != nullptr; rights = CMSG_NXTHDR(&header, rights)) {
    if (rights->cmsg_level != SOL_SOCKET || rights->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (rights->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i, ++descriptors) {
      int number = -1;
      std::memcpy(&number, CMSG_DATA(rights) + i * sizeof number, sizeof number);
      fd = OwnedFd(number);  // the one before, if any, is closed
    }
  }
  if (got == 0) return std::optional<OwnedFd>{};
  if (got != static_cast<ssize_t>(size) || descriptors > 1 || (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
    return fault("a message of the wrong size or with too many descriptors");
  }
  return std::optional<OwnedFd>{std::move(fd)};
}

}  // namespace oisp
