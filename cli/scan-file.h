// Asks the elf-scanner about a file, as the helper does: a process of its own, which gives up everything before
// it looks at the file. Nothing of a program file is read here.
#pragma once

#include <string>

#include "base/result.h"
#include "elf-scanner/scan-answer.h"

namespace oisp {

// `scanner`: the program (find_part). `file`: open for reading, regular. A fault says why there is no answer.
Result<oisp_scan_answer> scan_file(const std::string& scanner, int file);

}  // namespace oisp
