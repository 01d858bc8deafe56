#include "base/sandbox.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "tests/catch.h"

using namespace oisp;

namespace {

// Runs `body` in a child under a policy and gives its wait status.
template <typename Body>
int run_confined(const SandboxPolicy& policy, Body body) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (!apply_sandbox(policy).ok()) ::_exit(99);
    ::_exit(body());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

constexpr const char* kRefused[] = {"openat"};

}  // namespace

TEST_CASE("a call that is not allowed kills the process") {
  const int status = run_confined({}, [] { return ::socket(AF_INET, SOCK_STREAM, 0); });
  REQUIRE(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGSYS);
}

TEST_CASE("a refused call answers EPERM, allowed ones work") {
  const int status = run_confined({.refused = kRefused}, [] {
    const bool refused = ::open("/etc/hostname", O_RDONLY) < 0 && errno == EPERM;
    char* memory = new char[1 << 20];
    memory[0] = 1;
    const bool allocated = memory[0] == 1;
    delete[] memory;
    return refused && allocated ? 0 : 1;
  });
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("without the common calls only those listed are left") {
  constexpr const char* kOnlyEnd[] = {"exit_group"};
  const int ended = run_confined({.allowed = kOnlyEnd, .only_allowed = true}, [] { return 7; });
  REQUIRE(WIFEXITED(ended));
  CHECK(WEXITSTATUS(ended) == 7);
  const int killed = run_confined({.allowed = kOnlyEnd, .only_allowed = true}, [] { return ::getpid() > 0 ? 1 : 0; });
  REQUIRE(WIFSIGNALED(killed));
  CHECK(WTERMSIG(killed) == SIGSYS);
}
