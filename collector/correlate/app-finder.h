// Which application a process is: by its program and by the script that its interpreter was given. It says what a
// process looks like, not what it is: any program may take another's name.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "data/apps.h"

namespace oisp {

// `program`: its path as the kernel has it. Null where it is none that is known.
const App* find_app(std::string_view program, std::span<const std::string> arguments);

}  // namespace oisp
