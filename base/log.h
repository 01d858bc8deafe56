// One line per message to stderr: "oisp-collector: text". Never from library code; never with bytes
// of a captured stream that were not passed through printable().
#pragma once

#include <string>
#include <string_view>

namespace oisp {

// Names the process in every line; call first in main. `name` must outlive the process.
void set_log_name(const char* name);

[[gnu::format(printf, 1, 2)]] void log_error(const char* format, ...);
[[gnu::format(printf, 1, 2)]] void log_warning(const char* format, ...);
// Only where OISP_LOG=debug was set when the process started.
[[gnu::format(printf, 1, 2)]] void log_debug(const char* format, ...);

// A stranger's bytes, made safe for a terminal or a log: control bytes, invalid UTF-8 and what lies
// beyond `most` bytes become visible escapes.
std::string printable(std::string_view bytes, std::size_t most = 200);

}  // namespace oisp
