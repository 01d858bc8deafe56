// oisp-sensor show [-f] FILE: the view of a recording, from the file that `record -o` wrote.
#include <capnp/message.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>

#include <csignal>
#include <cstdio>
#include <memory>
#include <string>

#include "base/log.h"
#include "base/owned-fd.h"
#include "cli/exit-status.h"
#include "cli/identity.h"
#include "cli/subcommands.h"
#include "cli/terminal.h"
#include "exporters/terminal/terminal-view.h"
#include "ipc-schema/event-json.h"

namespace oisp {
namespace {

// An event with the largest body that can be asked for fits many times.
constexpr std::size_t kMostLineBytes = 256 << 20;
constexpr std::size_t kReadBytes = 1 << 16;
// How soon a line that was added is shown.
constexpr int kFollowMs = 100;

// Cuts what was read into lines and shows each.
class Lines {
 public:
  explicit Lines(TerminalView& view) : view_(view) {}

  void take(std::string_view bytes) {
    std::size_t end = 0;
    while ((end = bytes.find('\n')) != std::string_view::npos) {
      add(bytes.substr(0, end));
      show();
      bytes.remove_prefix(end + 1);
    }
    add(bytes);
  }

  // A last line without its end: the recording was killed while it wrote, or goes on.
  [[nodiscard]] bool in_a_line() const { return !line_.empty(); }
  [[nodiscard]] std::uint64_t unreadable() const { return unreadable_; }
  [[nodiscard]] const std::string& first_reason() const { return first_reason_; }

 private:
  void add(std::string_view part) {
    too_long_ = too_long_ || line_.size() + part.size() > kMostLineBytes;
    if (!too_long_) line_ += part;
  }

  void show() {
    ++number_;
    if (!line_.empty() || too_long_) {
      capnp::MallocMessageBuilder message;
      const Status parsed =
          too_long_ ? Status(fault("too long")) : parse_event_json(line_, message.initRoot<schema::Event>());
      if (parsed) {
        view_.on_event(message.getRoot<schema::Event>().asReader());
      } else if (++unreadable_ == 1) {
        first_reason_ = "line " + std::to_string(number_) + ": " + printable(parsed.error().text());
      }
    }
    line_.clear();
    too_long_ = false;
  }

  TerminalView& view_;
  std::string line_;
  bool too_long_ = false;
  std::uint64_t number_ = 0;
  std::uint64_t unreadable_ = 0;
  std::string first_reason_;
};

void write_out(std::string_view text) {
  (void)std::fwrite(text.data(), 1, text.size(), stdout);
  (void)std::fflush(stdout);
}

// Ctrl-C ends following, with the summary.
OwnedFd make_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&set, signal);
  (void)::sigprocmask(SIG_BLOCK, &set, nullptr);
  return OwnedFd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

// False: asked to end.
bool wait_for_more(const OwnedFd& signals) {
  pollfd set{.fd = signals.get(), .events = POLLIN, .revents = 0};
  return ::poll(&set, 1, kFollowMs) == 0;
}

}  // namespace

int show(const ShowOptions& options) {
  const std::string name = printable(options.file);
  if (const Status status = become(find_identity()); !status) {
    tell_user(status.error().text());
    return kFailure;
  }
  const OwnedFd file(::open(options.file.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!file) {
    tell_user("Cannot read " + name + ": " + std::strerror(errno) + ".");
    return kFailure;
  }
  const OwnedFd signals = options.follow ? make_signals() : OwnedFd();
  TerminalView view({.colour = wants_colours(STDOUT_FILENO, options.no_colour),
                     .columns = columns_of(STDOUT_FILENO),
                     .holding = options.follow ? Holding::none : Holding::briefly},
                    write_out);
  Lines lines(view);
  const auto buffer = std::make_unique<char[]>(kReadBytes);
  for (;;) {
    const ssize_t got = ::read(file.get(), buffer.get(), kReadBytes);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      tell_user("Cannot read " + name + ": " + std::strerror(errno) + ".");
      return kFailure;
    }
    if (got > 0) lines.take({buffer.get(), static_cast<std::size_t>(got)});
    if (got == 0) view.flush();
    if (got == 0 && (!options.follow || !wait_for_more(signals))) break;
  }
  view.finish();
  if (lines.in_a_line())
    tell_user("The last line of " + name + " is not whole: it is still being written, or was cut off.");
  if (lines.unreadable() == 0) return kOk;
  tell_user(std::to_string(lines.unreadable()) + " lines of " + name + " are not events (" + lines.first_reason() +
            ").");
  return kFailure;
}

}  // namespace oisp
