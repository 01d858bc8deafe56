#include "base/log.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/utf8.h"

namespace oisp {
namespace {

const char* log_name = "oisp";

void write_line(const char* level, const char* format, std::va_list arguments) {
  char line[1024];
  int used = std::snprintf(line, sizeof line, "%s: %s", log_name, level);
  if (used < 0) return;
  const int more = std::vsnprintf(line + used, sizeof line - static_cast<std::size_t>(used), format, arguments);
  if (more < 0) return;
  used += more;
  if (used > static_cast<int>(sizeof line) - 2) used = static_cast<int>(sizeof line) - 2;
  line[used] = '\n';
  (void)std::fwrite(line, 1, static_cast<std::size_t>(used) + 1, stderr);
}

}  // namespace

void set_log_name(const char* name) { log_name = name; }

void log_error(const char* format, ...) {
  std::va_list arguments;
  va_start(arguments, format);
  write_line("error: ", format, arguments);
  va_end(arguments);
}

void log_warning(const char* format, ...) {
  std::va_list arguments;
  va_start(arguments, format);
  write_line("warning: ", format, arguments);
  va_end(arguments);
}

void log_debug(const char* format, ...) {
  static const bool wanted = [] {
    const char* level = std::getenv("OISP_LOG");
    return level != nullptr && std::strcmp(level, "debug") == 0;
  }();
  if (!wanted) return;
  std::va_list arguments;
  va_start(arguments, format);
  write_line("debug: ", format, arguments);
  va_end(arguments);
}

std::string printable(std::string_view bytes, std::size_t most) {
  std::string out;
  const bool cut = bytes.size() > most;
  if (cut) bytes = bytes.substr(0, most);
  while (!bytes.empty()) {
    const std::size_t length = utf8_length(bytes);
    const auto first = static_cast<unsigned char>(bytes[0]);
    // C1 controls (U+0080..U+009F) drive terminals too.
    const bool control = length == 1 ? (first < 0x20 || first == 0x7f)
                                     : (length == 2 && first == 0xc2 && static_cast<unsigned char>(bytes[1]) < 0xa0);
    if (length == 0 || control) {
      char escape[8];
      (void)std::snprintf(escape, sizeof escape, "\\x%02x", first);
      out += escape;
      bytes.remove_prefix(1);
      continue;
    }
    out.append(bytes.substr(0, length));
    bytes.remove_prefix(length);
  }
  if (cut) out += "…";
  return out;
}

}  // namespace oisp
