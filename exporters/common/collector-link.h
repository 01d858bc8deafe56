// An exporter's connection with the collector: whole frames in, answers out, never blocking. While
// an answer waits to be sent nothing is read, so neither direction has a queue.
#pragma once

#include <poll.h>

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/owned-fd.h"
#include "base/result.h"
#include "exporters/common/export-message.h"

namespace oisp {

class CollectorLink {
 public:
  // What became of one try to read.
  struct Nothing {};  // not a whole frame yet
  struct Ended {};    // the collector is gone
  using Received = std::variant<Nothing, Ended, ExportMessage>;

  explicit CollectorLink(OwnedFd socket);

  [[nodiscard]] pollfd wanted() const;
  // Reads on. The events of a batch lie in the link's buffer until the next call.
  Result<Received, ExportError> receive();
  // Sends what waits; false when the collector is gone.
  bool send_waiting();

  bool send_hello(std::optional<std::uint64_t> kept);
  bool send_acknowledge(std::uint64_t sequence);
  bool send_failed(std::uint64_t acknowledged, const Fault& fault);

 private:
  void make_room(std::size_t words);

  OwnedFd socket_;
  std::vector<std::uint64_t> buffer_;  // words: frames are aligned to them
  std::size_t filled_bytes_ = 0;       // of buffer_
  std::size_t begin_ = 0;              // where the next frame begins, in words
  bool drained_ = false;               // the last read took all that there was
  std::string waiting_;                // answers not sent yet
};

}  // namespace oisp
