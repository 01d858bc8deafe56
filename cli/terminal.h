// What the terminal behind a descriptor can do.
#pragma once

#include <cstddef>

namespace oisp {

// Not where it is no terminal, the user refused (the option, or NO_COLOR), or TERM is "dumb".
bool wants_colours(int fd, bool refused);
// 0: not known.
std::size_t columns_of(int fd);

}  // namespace oisp
