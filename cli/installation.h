// Where the parts of this installation lie.
#pragma once

#include <string>

#include "base/result.h"
#include "cli/exit-status.h"

namespace oisp {

// The folder of this executable.
std::string own_folder();

// The path of one of our programs that users do not call: in the build tree beside us; where installed, in libexec.
Result<std::string, Refusal> find_part(const char* program);

}  // namespace oisp
