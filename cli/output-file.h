// The file of `-o`: opened as the user, appended to, locked against a second recording.
#pragma once

#include <string>

#include "base/owned-fd.h"
#include "base/result.h"
#include "cli/exit-status.h"

namespace oisp {

Result<OwnedFd, Refusal> open_output_file(const std::string& path);

}  // namespace oisp
