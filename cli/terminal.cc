#include "cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

namespace oisp {

bool wants_colours(int fd, bool refused) {
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  if (refused || (no_color != nullptr && *no_color != '\0')) return false;
  return (term == nullptr || std::string_view(term) != "dumb") && ::isatty(fd) == 1;
}

std::size_t columns_of(int fd) {
  winsize size{};
  return ::ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

}  // namespace oisp
