// oisp-sensor record [options] -- CMD [ARGS], and record --pid PID.
#include "cli/subcommands.h"
#include "ipc-schema/sink.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <memory>

#include "base/log.h"
#include "cli/capture.h"
#include "cli/exit-status.h"
#include "cli/find-program.h"
#include "cli/identity.h"
#include "cli/output-file.h"
#include "cli/terminal.h"

namespace oisp {
namespace {

// The rest of a longer command line is not shown.
constexpr std::size_t kMostCommandWords = 256;

void configure(Capture& capture, std::string_view key, std::string_view value) {
  Order order{.kind = OrderKind::config};
  order.set_name(key);
  order.set_text(value);
  capture.say(order);
}

// For those with privilege, which read no numbers from text.
void configure(Capture& capture, std::string_view key, std::uint64_t value) {
  Order order{.kind = OrderKind::config, .value = value};
  order.set_name(key);
  capture.say(order);
}

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

std::string name_of_process(pid_t pid) {
  char bytes[64];
  const OwnedFd comm(::open(("/proc/" + std::to_string(pid) + "/comm").c_str(), O_RDONLY | O_CLOEXEC));
  const ssize_t got = comm ? ::read(comm.get(), bytes, sizeof bytes) : -1;
  return got <= 1 ? "process" : std::string(bytes, static_cast<std::size_t>(got) - 1);
}

// A command that has the terminal to itself is not disturbed: lines come at its end.
bool is_held(const RecordOptions& options, const Words& command) {
  return !command.empty() && !options.live && ::isatty(STDIN_FILENO) == 1;
}

void say_settings(Capture& capture, const RecordOptions& options, const Identity& identity, const Words& command,
                  pid_t pid) {
  const std::string name = printable(command.empty() ? name_of_process(pid) : base_name(command[0]), 40);
  configure(capture, "scope",
            name + "[" + std::to_string(pid) + "] as " + printable(identity.name, 40) + ", and its descendants");
  const std::size_t words = std::min(command.size(), kMostCommandWords);
  for (std::size_t i = 0; i < words; ++i) configure(capture, "command", command[i]);
  configure(capture, "pid", std::to_string(pid));
  configure(capture, "user", identity.name);
  configure(capture, "content", "secrets masked");
  configure(capture, "bodies", options.bodies ? "1" : "0");
  configure(capture, "format", options.format);
  configure(capture, "max_body", std::to_string(options.max_body));
  timespec now{};
  (void)::clock_gettime(CLOCK_REALTIME, &now);
  configure(capture, "started_ns",
            std::to_string(std::uint64_t(now.tv_sec) * 1'000'000'000 + std::uint64_t(now.tv_nsec)));
  configure(capture, "hold", is_held(options, command) ? "1" : "0");
  configure(capture, "colour", wants_colours(STDERR_FILENO, options.no_colour) ? "1" : "0");
  if (const std::size_t columns = columns_of(STDERR_FILENO); columns > 0) {
    configure(capture, "width", std::to_string(columns));
  }
  if (!options.uprobes.empty()) configure(capture, "uprobes", options.uprobes);
  if (options.buffer_size != 0) configure(capture, "buffer_size", options.buffer_size);
  if (options.no_hold) configure(capture, "hold_new_files", "0");
  configure(capture, "sink_count", std::to_string((options.output.empty() ? 0 : 1) + (options.quiet ? 0 : 1)));
}

void say_outputs(Capture& capture, const RecordOptions& options, int file, bool hold) {
  if (file >= 0) {
    // What lies before belongs to earlier recordings.
    struct stat status {};
    if (::fstat(file, &status) == 0) configure(capture, "output_start", std::to_string(status.st_size));
    capture.say({.kind = OrderKind::output, .detail = static_cast<std::int32_t>(SinkKind::jsonl), .value = kSinkIsFile},
                file);
  }
  if (options.quiet) return;
  const SinkKind kind = options.format == "json" ? SinkKind::jsonl : SinkKind::terminal;
  std::uint64_t flags = file >= 0 ? kSinkAfterFile : 0;
  if (hold) flags |= kSinkHold;
  if (wants_colours(STDERR_FILENO, options.no_colour)) flags |= kSinkColour;
  capture.say({.kind = OrderKind::output, .detail = static_cast<std::int32_t>(kind), .value = flags}, STDERR_FILENO);
}

void say_files(Capture& capture, const std::vector<FoundFile>& files) {
  for (const FoundFile& file : files) {
    Order order{.kind = OrderKind::file};
    order.set_name(file.name);
    capture.say(order, file.fd.get());
  }
}

int refuse(const Refusal& refusal) {
  tell_user(refusal.sentence);
  return refusal.exit_status;
}

int check(const RecordOptions& options, const Words& command) {
  if (command.empty() == (options.pid == 0)) {
    tell_user(
        "Give a command behind `--`, or a process with --pid. Example: oisp-sensor record -- curl https://example.org");
    return kUsage;
  }
  if (options.quiet && options.output.empty()) {
    tell_user("With --quiet there must be a file to write: -o FILE.");
    return kUsage;
  }
  struct stat status {};
  if (options.pid != 0 && ::stat(("/proc/" + std::to_string(options.pid)).c_str(), &status) != 0) {
    tell_user("There is no process " + std::to_string(options.pid) + ".");
    return kFailure;
  }
  return kOk;
}

}  // namespace

int record(const RecordOptions& options, const Words& command) {
  if (const int status = check(options, command); status != kOk) return status;
  const Identity identity = find_identity();
  std::string program;
  std::optional<HeldChild> child;
  if (!command.empty()) {
    auto found = find_program(command[0]);
    if (!found) return refuse(found.error());
    program = *found;
    auto made = HeldChild::make({.path = program, .words = command, .prepare = [&] { return become(identity); }});
    if (!made) return refuse({kFailure, made.error().text()});
    child = std::move(*made);
  }
  auto launcher = make_launcher();
  if (!launcher) return refuse(launcher.error());
  // From here on the only root process is the launcher's, which still waits.
  if (const Status status = become(identity); !status) return refuse({kFailure, status.error().text()});
  OwnedFd file;
  if (!options.output.empty()) {
    auto opened = open_output_file(options.output);
    if (!opened) return refuse(opened.error());
    file = std::move(*opened);
  }

  const pid_t pid = child ? child->pid() : options.pid;
  Capture capture(std::move(*launcher), std::move(child));
  say_settings(capture, options, identity, command, pid);
  capture.say({.kind = OrderKind::watch, .detail = command.empty() ? 0 : 1, .value = static_cast<std::uint64_t>(pid)});
  say_outputs(capture, options, file.get(), is_held(options, command));
  file.reset();
  say_files(capture, open_tls_libraries());
  if (!program.empty()) say_files(capture, open_program_files(program));
  capture.say({.kind = OrderKind::begin});
  return capture.run();
}

}  // namespace oisp
