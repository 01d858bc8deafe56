// Messages of a fixed size with at most one descriptor, over AF_UNIX SOCK_SEQPACKET: how processes that
// do not parse talk with each other.
#pragma once

#include <cstddef>
#include <optional>

#include "base/owned-fd.h"
#include "base/result.h"

namespace oisp {

// `fd` stays the caller's (-1: none). `flags` as for sendmsg; errno EAGAIN where that would wait.
Status send_message(int socket, const void* message, std::size_t size, int fd = -1, int flags = 0);

// Fills `message` and gives the descriptor that came with it, which may be none; nothing at all when the
// peer is gone. Another size, or more than one descriptor, is a fault, and all of them are closed.
Result<std::optional<OwnedFd>> receive_message(int socket, void* message, std::size_t size, int flags = 0);

}  // namespace oisp
