#include "cli/installation.h"

#include <sys/stat.h>

#include <filesystem>

namespace oisp {

std::string own_folder() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).parent_path().string();
}

Result<std::string, Refusal> find_part(const char* program) {
  const std::string folder = own_folder();
  for (const char* place : {"/", "/../libexec/oisp-sensor/"}) {
    const std::string path = folder + place + program;
    struct stat status {};
    if (::stat(path.c_str(), &status) == 0) return std::filesystem::path(path).lexically_normal().string();
  }
  return Refusal{kFailure,
                 std::string(program) + " is not installed beside " + folder + "; install oisp-sensor again."};
}

}  // namespace oisp
