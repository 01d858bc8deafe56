// Finds what a command will execute, and the files worth probing before it does.
#pragma once

#include <string>
#include <vector>

#include "base/owned-fd.h"
#include "base/result.h"
#include "cli/exit-status.h"

namespace oisp {

// The path that execvp would take for `name`; refused with 127 or 126 where there is none.
Result<std::string, Refusal> find_program(const std::string& name);

struct FoundFile {
  std::string name;  // without its folder
  std::string path;
  OwnedFd fd;
};

// A file that is regular, opened for reading; errno otherwise.
OwnedFd open_regular_file(const std::string& path);

// The TLS libraries in the loader's usual folders.
std::vector<FoundFile> open_tls_libraries();

// A program and the interpreters that its `#!` lines name.
std::vector<FoundFile> open_program_files(const std::string& path);

}  // namespace oisp
