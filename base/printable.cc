// Apart from the log, so that programs which show no stranger's bytes do not link it.
#include <cstdio>

#include "base/log.h"
#include "base/utf8.h"

namespace oisp {

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
