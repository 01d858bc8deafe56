#include "cli/held-child.h"

#include <fcntl.h>

namespace oisp {
namespace {

struct Pipe {
  OwnedFd read;
  OwnedFd write;
};

Result<Pipe> make_pipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return errno_fault("pipe");
  return Pipe{.read = OwnedFd(fds[0]), .write = OwnedFd(fds[1])};
}

ssize_t read_all(int fd, void* to, std::size_t size) {
  ssize_t got = 0;
  do {
    got = ::read(fd, to, size);
  } while (got < 0 && errno == EINTR);
  return got;
}

// In the child. Returns the errno of what failed.
int wait_and_execute(const HeldChild::Program& program, int word) {
  char go = 0;
  if (read_all(word, &go, 1) != 1) ::_exit(0);  // abandoned
  if (program.prepare) {
    if (const Status status = program.prepare(); !status) return status.error().error;
  }
  std::vector<char*> words;
  for (const std::string& one : program.words) words.push_back(const_cast<char*>(one.c_str()));  // execv's signature
  words.push_back(nullptr);
  (void)::execv(program.path.c_str(), words.data());
  if (errno != ENOEXEC) return errno;
  // A script without `#!` is the shell's, as execvp has it.
  char shell[] = "/bin/sh";
  std::string path = program.path;
  words.insert(words.begin(), shell);
  words[1] = path.data();
  (void)::execv(shell, words.data());
  return errno;
}

}  // namespace

Result<HeldChild> HeldChild::make(const Program& program) {
  auto word = make_pipe();
  if (!word) return word.error();
  auto answer = make_pipe();
  if (!answer) return answer.error();
  HeldChild child;
  child.pid_ = ::fork();
  if (child.pid_ < 0) return errno_fault("fork");
  if (child.pid_ == 0) {
    word->write.reset();
    answer->read.reset();
    const int error = wait_and_execute(program, word->read.get());
    (void)!::write(answer->write.get(), &error, sizeof error);
    ::_exit(127);
  }
  child.word_ = std::move(word->write);
  child.answer_ = std::move(answer->read);
  return child;
}

int HeldChild::let_go() {
  const char go = 1;
  if (::write(word_.get(), &go, 1) != 1) return errno;
  word_.reset();
  int error = 0;
  if (read_all(answer_.get(), &error, sizeof error) != static_cast<ssize_t>(sizeof error)) error = 0;
  answer_.reset();
  return error;
}

void HeldChild::abandon() { word_.reset(); }

}  // namespace oisp
