// oisp-sensor demo: a real capture of curl, python3 and Node.js, which talk over TLS to a provider on
// loopback that comes with the product. No account, no network.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cstdio>
#include <memory>
#include <optional>

#include "cli/exit-status.h"
#include "cli/find-program.h"
#include "cli/held-child.h"
#include "cli/identity.h"
#include "cli/installation.h"
#include "cli/subcommands.h"

namespace oisp {
namespace {

constexpr std::size_t kMostReadyBytes = 4096;

// In the build tree beside us; where installed, under share.
std::optional<std::string> find_demo() {
  for (const char* place : {"/demo", "/../share/oisp-sensor/demo"}) {
    struct stat status {};
    const std::string folder = own_folder() + place;
    if (::stat((folder + "/provider.py").c_str(), &status) == 0) return folder;
  }
  return std::nullopt;
}

// The provider: it ends when its standard input, which we hold, does.
class Provider {
 public:
  static Result<Provider, Refusal> start(const std::string& folder, const Identity& identity) {
    auto python = find_program("python3");
    if (!python) return Refusal{kFailure, "The demo's provider needs python3, which is not installed."};
    int input[2];
    int output[2];
    if (::pipe2(input, O_CLOEXEC) != 0) return Refusal{kFailure, errno_fault("pipe").text()};
    const OwnedFd input_end(input[0]);
    Provider provider;
    provider.input_ = OwnedFd(input[1]);
    if (::pipe2(output, O_CLOEXEC) != 0) return Refusal{kFailure, errno_fault("pipe").text()};
    const OwnedFd said(output[0]);
    OwnedFd output_end(output[1]);
    auto child = HeldChild::make(
        {.path = *python, .words = {"python3", folder + "/provider.py", "--until-eof"}, .prepare = [&]() -> Status {
           if (::dup2(input_end.get(), STDIN_FILENO) < 0 || ::dup2(output_end.get(), STDOUT_FILENO) < 0) {
             return errno_fault("dup2");
           }
           return become(identity);
         }});
    if (!child) return Refusal{kFailure, child.error().text()};
    output_end.reset();
    provider.child_ = std::move(*child);
    if (provider.child_.let_go() != 0 || !provider.wait_until_ready(said.get())) {
      return Refusal{kFailure, "The demo's provider did not start; run " + folder + "/provider.py to see why."};
    }
    return provider;
  }

  // After it, the provider and its files are gone.
  void stop() {
    input_.reset();
    (void)::waitpid(child_.pid(), nullptr, 0);
  }

  [[nodiscard]] const std::string& port() const { return port_; }
  [[nodiscard]] const std::string& ca_file() const { return ca_file_; }

 private:
  // Its one line: "ready PORT CAFILE".
  bool wait_until_ready(int fd) {
    std::string line;
    char byte = 0;
    while (line.size() < kMostReadyBytes && ::read(fd, &byte, 1) == 1 && byte != '\n') line += byte;
    const std::size_t first = line.find(' ');
    const std::size_t second = line.find(' ', first + 1);
    if (byte != '\n' || second == std::string::npos || line.compare(0, first, "ready") != 0) return false;
    port_ = line.substr(first + 1, second - first - 1);
    ca_file_ = line.substr(second + 1);
    return true;
  }

  HeldChild child_;
  OwnedFd input_;
  std::string port_;
  std::string ca_file_;
};

}  // namespace

int demo(const RecordOptions& options) {
  const std::optional<std::string> folder = find_demo();
  if (!folder) {
    tell_user("The demo is not installed beside " + own_folder() + "; install oisp-sensor again.");
    return kFailure;
  }
  auto provider = Provider::start(*folder, find_identity());
  if (!provider) {
    tell_user(provider.error().sentence);
    return provider.error().exit_status;
  }
  const int status = record(options, {*folder + "/run-clients.sh", provider->port(), provider->ca_file()});
  provider->stop();
  if (status == kOk) {
    std::fprintf(stderr,
                 "\nThat was real TLS traffic on loopback. Now a program of your own:\n\n"
                 "    oisp-sensor record -- CMD [ARGS]\n\n");
  }
  return status;
}

}  // namespace oisp
