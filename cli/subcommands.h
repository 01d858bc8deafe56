// The subcommands: each is a row of the table in main.cc and a file of its own.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace oisp {

// What follows `--` on the command line.
using Words = std::vector<std::string>;

// Declares the subcommand's options; what it returns runs it and gives the exit status.
using Runner = std::function<int(const Words& command)>;

Runner declare_record(CLI::App& app);
Runner declare_show(CLI::App& app);
Runner declare_demo(CLI::App& app);

}  // namespace oisp
