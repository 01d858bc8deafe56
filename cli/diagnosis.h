// Why a process or a command is seen or is not, step by step: from what the host allows and what its files hold.
#pragma once

#include <string>
#include <vector>

#include "cli/preflight.h"
#include "elf-scanner/scan-answer.h"

namespace oisp {

struct ScannedFile {
  std::string path;
  oisp_scan_answer answer{};
  std::string fault;  // why there is no answer
};

struct Subject {
  std::string name;                    // as the user reads it: "process 4711", or the command's program
  bool running = false;                // else a command that is still to be started
  std::vector<ScannedFile> files;      // its program first; what of a process could not be opened has a fault
  std::vector<ScannedFile> of_system;  // for a command: the libraries that it may load
};

struct Diagnosis {
  std::string text;
  int exit_status = 0;  // 0: seen; as `check` where nothing can be recorded here; else 1
};

Diagnosis diagnose_subject(const Subject& subject, const std::vector<Point>& points);

}  // namespace oisp
