// Where an earlier life of this sink stopped, read from the end of its file.
#pragma once

#include <cstdint>
#include <optional>

#include "base/result.h"

namespace oisp {

struct Resumed {
  std::uint64_t size;                     // of the file, now that it ends with a whole line
  std::optional<std::uint64_t> sequence;  // of the last event; nothing where there is none yet
};

// `start`: size of the file when this recording began. Cuts a last line without its line feed away.
Result<Resumed> resume_file(int fd, std::uint64_t start);

}  // namespace oisp
