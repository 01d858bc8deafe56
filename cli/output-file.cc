#include "cli/output-file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/log.h"

namespace oisp {

Result<OwnedFd, Refusal> open_output_file(const std::string& path) {
  const std::string name = printable(path);
  // Read as well: the exporter looks for the end of the last whole line. Not waiting for the other
  // end of a pipe, and through no symbolic link that somebody else may have laid there.
  OwnedFd file(
      ::open(path.c_str(), O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0600));
  if (!file && errno == ELOOP) return Refusal{kFailure, name + " is a symbolic link; give the file itself with -o."};
  if (!file)
    return Refusal{kFailure, "Cannot write " + name + ": " + std::strerror(errno) + ". Choose another with -o."};
  struct stat status {};
  if (::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return Refusal{kFailure, name + " is not a regular file; choose another with -o."};
  }
  if (status.st_uid != ::geteuid()) {
    return Refusal{kFailure, name + " belongs to another user; choose another with -o."};
  }
  // Held by every copy of this descriptor, so until the exporter has ended.
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    return Refusal{kFailure, name + " is being written by another recording; choose another with -o."};
  }
  return file;
}

}  // namespace oisp
