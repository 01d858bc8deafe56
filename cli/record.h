// What `record` is asked for; `demo` asks for the same.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "cli/subcommands.h"

namespace oisp {

struct RecordOptions {
  std::string output;
  std::string format = "view";
  pid_t pid = 0;  // 0: CMD
  bool live = false;
  bool no_colour = false;
  bool bodies = false;
  bool quiet = false;
  bool no_hold = false;
  std::string uprobes;
  std::uint64_t max_body = 8 << 20;
};

int record(const RecordOptions& options, const Words& command);

}  // namespace oisp
