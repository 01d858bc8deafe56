#include "base/log.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

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

}  // namespace oisp
