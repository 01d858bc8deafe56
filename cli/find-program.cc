#include "cli/find-program.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "base/log.h"

namespace oisp {
namespace {

// Where loaders of the common distributions look: glibc (multiarch and lib64) and musl.
constexpr const char* kLibraryFolders[] = {
    "/lib/x86_64-linux-gnu",
    "/lib/aarch64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/lib64",
    "/usr/lib64",
    "/usr/local/lib/x86_64-linux-gnu",
    "/usr/local/lib",
    "/usr/local/lib64",
    "/lib",
    "/usr/lib",
};
constexpr std::string_view kLibraryPrefix = "libssl.so";
constexpr std::size_t kMostLibraries = 16;
constexpr int kMostInterpreters = 4;  // the kernel's own limit of nested scripts
constexpr std::size_t kShebangBytes = 256;

// Files already taken, by device and inode: folders and names are often links to one another.
class OpenedFiles {
 public:
  void open(const std::string& path) {
    OwnedFd file = open_regular_file(path);
    struct stat status {};
    if (!file || ::fstat(file.get(), &status) != 0) return;
    const Key key{status.st_dev, status.st_ino};
    if (std::find(seen_.begin(), seen_.end(), key) != seen_.end()) return;
    seen_.push_back(key);
    files_.push_back({.name = path.substr(path.rfind('/') + 1), .path = path, .fd = std::move(file)});
  }
  [[nodiscard]] std::size_t size() const { return files_.size(); }
  std::vector<FoundFile> take() { return std::move(files_); }

 private:
  using Key = std::pair<dev_t, ino_t>;
  std::vector<Key> seen_;
  std::vector<FoundFile> files_;
};

bool is_executable_file(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
         ::faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) == 0;
}

std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> words;
  std::size_t at = 0;
  while ((at = line.find_first_not_of(" \t", at)) != std::string_view::npos) {
    const std::size_t end = std::min(line.find_first_of(" \t", at), line.size());
    words.emplace_back(line.substr(at, end - at));
    at = end;
  }
  return words;
}

// The interpreters that the first line of a script names: one, and for `env NAME` NAME as well.
std::vector<std::string> interpreters_of(const std::string& path) {
  const OwnedFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  char bytes[kShebangBytes];
  const ssize_t got = file ? ::read(file.get(), bytes, sizeof bytes) : -1;
  if (got < 2 || bytes[0] != '#' || bytes[1] != '!') return {};
  std::string_view line(bytes + 2, static_cast<std::size_t>(got) - 2);
  line = line.substr(0, line.find('\n'));
  const std::vector<std::string> words = words_of(line);
  if (words.empty()) return {};
  std::vector<std::string> found{words[0]};
  if (words[0].ends_with("/env")) {
    const auto name = std::find_if(words.begin() + 1, words.end(), [](const std::string& word) {
      return !word.starts_with('-') && word.find('=') == std::string::npos;
    });
    if (name != words.end()) {
      if (auto program = find_program(*name)) found.push_back(*program);
    }
  }
  return found;
}

}  // namespace

OwnedFd open_regular_file(const std::string& path) {
  OwnedFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0) return {};
  if (S_ISREG(status.st_mode)) return file;
  errno = S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
  return {};
}

Result<std::string, Refusal> find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) {
    struct stat status {};
    if (::stat(name.c_str(), &status) != 0) {
      return Refusal{kNotFound, printable(name) + ": " + std::strerror(errno)};
    }
    if (is_executable_file(name)) return name;
    return Refusal{kNotExecutable, printable(name) + " cannot be executed."};
  }
  const char* path = std::getenv("PATH");
  std::string_view folders = path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin";
  bool seen = false;
  for (bool more = !name.empty(); more;) {
    const std::size_t colon = folders.find(':');
    const std::string_view folder = folders.substr(0, colon);
    std::string candidate = folder.empty() ? name : std::string(folder) + "/" + name;
    if (is_executable_file(candidate)) return candidate;
    seen = seen || ::access(candidate.c_str(), F_OK) == 0;
    more = colon != std::string_view::npos;
    if (more) folders.remove_prefix(colon + 1);
  }
  if (seen) return Refusal{kNotExecutable, printable(name) + " cannot be executed."};
  return Refusal{kNotFound, printable(name) + ": command not found"};
}

std::vector<FoundFile> open_tls_libraries() {
  OpenedFiles files;
  for (const char* folder : kLibraryFolders) {
    const std::unique_ptr<DIR, int (*)(DIR*)> entries(::opendir(folder), ::closedir);
    if (!entries) continue;
    while (const dirent* entry = ::readdir(entries.get())) {
      if (files.size() >= kMostLibraries) return files.take();
      if (std::string_view(entry->d_name).starts_with(kLibraryPrefix))
        files.open(std::string(folder) + "/" + entry->d_name);
    }
  }
  return files.take();
}

std::vector<FoundFile> open_program_files(const std::string& path) {
  OpenedFiles files;
  files.open(path);
  std::string script = path;
  for (int i = 0; i < kMostInterpreters; ++i) {
    const std::vector<std::string> interpreters = interpreters_of(script);
    if (interpreters.empty()) break;
    for (const std::string& interpreter : interpreters) files.open(interpreter);
    script = interpreters.back();
  }
  return files.take();
}

}  // namespace oisp
