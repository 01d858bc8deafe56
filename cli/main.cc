// oisp-sensor: what users call. It has no privilege: it reads options, runs CMD as the user's own
// child, and asks root (by sudo, unless it is root) for the launcher only.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <functional>
#include <memory>

#include "base/log.h"
#include "cli/exit-status.h"
#include "cli/subcommands.h"
#include "ipc-schema/order.h"

namespace oisp {
namespace {

// Declares the subcommand's options; what it returns runs it and gives the exit status.
using Runner = std::function<int(const Words& command)>;

Runner declare_record(CLI::App& app) {
  auto options = std::make_shared<RecordOptions>();  // shared by CLI11, which fills it, and the runner
  app.footer("\noisp-sensor record [OPTIONS] -- CMD [ARGS]\noisp-sensor record [OPTIONS] --pid PID");
  app.add_option("-o,--output", options->output, "Append events to FILE as OISP JSON lines")->type_name("FILE");
  app.add_option("--format", options->format, "What stderr shows: the live view, or the events as JSON lines")
      ->check(CLI::IsMember({"view", "json"}))
      ->type_name("view|json");
  app.add_option("--pid", options->pid, "Attach to a running process and its descendants, until Ctrl-C")
      ->check(CLI::PositiveNumber)
      ->type_name("PID");
  app.add_flag("--live", options->live, "Show lines at once, though CMD has the terminal to itself");
  app.add_flag("--no-colour,--no-color", options->no_colour, "No colours (as with NO_COLOR)");
  app.add_flag("--bodies", options->bodies, "Put whole bodies into the events");
  app.add_option("--max-body", options->max_body, "Keep at most this much of a body (default 8M)")
      ->transform(CLI::AsSizeValue(false))
      ->check(CLI::PositiveNumber)
      ->type_name("SIZE");
  app.add_option("--buffer-size", options->buffer_size,
                 "Memory for what is captured and not taken yet: 1M to 256M (default 16M)")
      ->transform(CLI::AsSizeValue(false))
      ->check(CLI::Range(kLeastRingBytes, kMostRingBytes))
      ->type_name("SIZE");
  app.add_option("--uprobes", options->uprobes, "Use perf uprobes though the kernel has better")
      ->check(CLI::IsMember({"perf"}))
      ->group("");  // for tests
  app.add_flag("--no-hold", options->no_hold, "Never hold a process until a new library of its is probed");
  app.add_flag("-q,--quiet", options->quiet, "Show nothing; only write FILE");
  return [options](const Words& command) { return record(*options, command); };
}

Runner declare_show(CLI::App& app) {
  auto options = std::make_shared<ShowOptions>();  // shared by CLI11, which fills it, and the runner
  app.add_option("FILE,-i,--input", options->file, "A file that `record -o` wrote")->required()->type_name("");
  app.add_flag("-f,--follow", options->follow, "Go on with what is added, until Ctrl-C");
  app.add_flag("--no-colour,--no-color", options->no_colour, "No colours (as with NO_COLOR)");
  return [options](const Words& command) {
    if (command.empty()) return show(*options);
    tell_user("To run a command: oisp-sensor record -- CMD");
    return kUsage;
  };
}

Runner declare_demo(CLI::App& app) {
  auto options = std::make_shared<RecordOptions>();  // shared by CLI11, which fills it, and the runner
  options->live = true;
  app.add_option("-o,--output", options->output, "Append events to FILE as OISP JSON lines")->type_name("FILE");
  app.add_option("--format", options->format, "What stderr shows: the live view, or the events as JSON lines")
      ->check(CLI::IsMember({"view", "json"}))
      ->type_name("view|json");
  app.add_flag("--no-colour,--no-color", options->no_colour, "No colours (as with NO_COLOR)");
  return [options](const Words& command) {
    if (command.empty()) return demo(*options);
    tell_user("The demo runs its own clients; to record a command: oisp-sensor record -- CMD");
    return kUsage;
  };
}

Runner declare_ssl_info(CLI::App& app) {
  auto options = std::make_shared<SslInfoOptions>();  // shared by CLI11, which fills it, and the runner
  app.footer("\nWithout PATH and --pid: the TLS libraries of this system.");
  app.add_option("PATH", options->paths, "Program files, libraries, or names of programs")->type_name("");
  app.add_option("-p,--pid", options->pid, "All files that a running process executes")
      ->check(CLI::PositiveNumber)
      ->type_name("PID");
  app.add_option("--format", options->format, "Text, or a line of JSON for each file")
      ->check(CLI::IsMember({"text", "json"}))
      ->type_name("text|json");
  app.add_flag("--detailed", options->detailed, "Each place that is probed; of a process, each file");
  return [options](const Words& command) {
    if (command.empty()) return ssl_info(*options);
    tell_user("To see what a command uses while it runs: oisp-sensor ssl-info --pid PID");
    return kUsage;
  };
}

Runner declare_check(CLI::App& app) {
  auto options = std::make_shared<CheckOptions>();  // shared by CLI11, which fills it, and the runner
  app.footer(
      "\nExit status: 0 ready, 3 without permission, 4 kernel or platform not supported, 1 otherwise not ready.");
  app.add_option("--format", options->format, "Text, or one object of JSON")
      ->check(CLI::IsMember({"text", "json"}))
      ->type_name("text|json");
  return [options](const Words& command) {
    if (command.empty()) return check(*options);
    tell_user("check runs no command; to record one: oisp-sensor record -- CMD");
    return kUsage;
  };
}

Runner declare_diagnose(CLI::App& app) {
  auto options = std::make_shared<DiagnoseOptions>();  // shared by CLI11, which fills it, and the runner
  app.footer("\noisp-sensor diagnose --pid PID\noisp-sensor diagnose -- CMD");
  app.add_option("-p,--pid", options->pid, "A running process")->check(CLI::PositiveNumber)->type_name("PID");
  return [options](const Words& command) { return diagnose(*options, command); };
}

struct Subcommand {
  const char* name;
  const char* summary;
  Runner (*declare)(CLI::App& app);
};

constexpr Subcommand kSubcommands[] = {
    {"record", "Run a program, or attach to one, and capture its AI traffic", declare_record},
    {"show", "Show, or follow, a file that record wrote", declare_show},
    {"demo", "Capture small clients of a provider on loopback that comes along", declare_demo},
    {"check", "Say whether recording would work here, and what is missing", declare_check},
    {"diagnose", "Say step by step why a process or a command is seen, or is not", declare_diagnose},
    {"ssl-info", "Say which program files hold a TLS library that can be read", declare_ssl_info},
};

struct Declared {
  CLI::App* app;
  Runner run;
};

int run(std::vector<std::string> words) {
  // CMD's words are its own: nothing behind `--` is looked at.
  const auto dashes = std::find(words.begin(), words.end(), "--");
  Words command;
  if (dashes != words.end()) command.assign(dashes + 1, words.end());
  words.erase(dashes, words.end());
  std::reverse(words.begin(), words.end());  // as CLI11 wants them

  CLI::App app("Watches AI traffic of programs on this machine, from the kernel.", "oisp-sensor");
  app.set_version_flag("-V,--version", "oisp-sensor " OISP_VERSION);
  app.require_subcommand(1);
  std::vector<Declared> declared;
  for (const Subcommand& row : kSubcommands) {
    CLI::App* sub = app.add_subcommand(row.name, row.summary);
    declared.push_back({.app = sub, .run = row.declare(*sub)});
  }
  try {
    app.parse(std::move(words));
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kOk : kUsage;
  }
  for (const Declared& one : declared) {
    if (one.app->parsed()) return one.run(command);
  }
  return kUsage;
}

}  // namespace
}  // namespace oisp

int main(int argc, char** argv) {
  oisp::set_log_name("oisp-sensor");
  return oisp::run({argv + std::min(argc, 1), argv + argc});
}
