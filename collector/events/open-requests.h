// Requests to models that wait for their answer, in memory that outlives this process: the launcher holds
// it. A collector that died so leaves to its successor which responses nobody will make; that one makes
// them, marked incomplete: each request has one response, whatever happens.
//
// What lies there was written by a process that read strangers' bytes: plain numbers and bounded texts,
// of which none is trusted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "base/owned-fd.h"
#include "base/result.h"

namespace oisp {

// What a response's event says of its request. Texts end with a zero or fill their place.
struct OpenRequest {
  std::uint64_t start_ns;  // of the process
  std::uint64_t cgroup_id;
  std::uint32_t tgid;
  std::uint32_t exec_count;
  std::uint32_t ppid;
  std::uint32_t uid;
  std::uint32_t gid;
  std::uint32_t exchange;
  std::uint32_t is_server;
  std::uint32_t is_embedding;
  std::uint32_t mount_ns;
  std::uint32_t is_plain;
  char path[256];
  char name[16];
  char stream[64];
  char request_id[32];
  char request_event[32];
  char provider[64];
  char endpoint[256];
};

class OpenRequests {
 public:
  // One that an earlier collector left.
  struct Left {
    OpenRequest about;
    std::uint64_t request;   // sequence of its ai.request
    std::uint64_t response;  // sequence of its ai.response; 0: none was made
    std::uint64_t last;      // and of the last tool call in it
  };

  OpenRequests() = default;  // keeps nothing
  ~OpenRequests();
  OpenRequests(const OpenRequests&) = delete;
  OpenRequests& operator=(const OpenRequests&) = delete;

  // `memory`: a file of the launcher's, empty at first.
  Status open(OwnedFd memory);
  // What was left in it, taken out of it.
  std::vector<Left> take_left();

  // `request`: sequence of its event. Nothing: there is no room for it.
  std::optional<std::size_t> add(const OpenRequest& about, std::uint64_t request);
  // Its response and what belongs to it were made, with these sequences.
  void answered(std::size_t slot, std::uint64_t response, std::uint64_t last);
  // All sinks have the events up to this one.
  void acknowledged(std::uint64_t sequence);

 private:
  struct Slot {
    std::uint64_t in_use;
    Left left;
  };

  Slot* slots_ = nullptr;
  std::size_t first_free_ = 0;                                  // none before it
  std::deque<std::pair<std::uint64_t, std::size_t>> answered_;  // last sequence and slot, in order
};

}  // namespace oisp
