// oisp-sensor: what users call. It has no privilege: it reads options, runs CMD as the user's own
// child, and asks root (by sudo, unless it is root) for the launcher only.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>

#include "base/log.h"
#include "cli/exit-status.h"
#include "cli/subcommands.h"

namespace oisp {
namespace {

struct Subcommand {
  const char* name;
  const char* summary;
  Runner (*declare)(CLI::App& app);
};

constexpr Subcommand kSubcommands[] = {
    {"record", "Run a program, or attach to one, and capture its AI traffic", declare_record},
    {"show", "Show, or follow, a file that record wrote", declare_show},
    {"demo", "Capture small clients of a provider on loopback that comes along", declare_demo},
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
