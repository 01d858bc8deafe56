#include "collector/correlate/app-finder.h"

#include <algorithm>

#include "data/star-pattern.h"

namespace oisp {
namespace {

constexpr std::string_view kPython = "python";
constexpr std::string_view kInterpreters[] = {"node", "nodejs", "bun", "deno"};
// Options of interpreters whose value is a word of its own.
constexpr std::string_view kWithValue[] = {"-r", "--require", "--import", "--loader", "--experimental-loader",
                                           "-C", "-W",        "-X"};
// Behind these a program follows on the command line, and no file.
constexpr std::string_view kInline[] = {"-c", "-e", "--eval", "-p", "--print"};

bool is_one_of(std::string_view word, std::span<const std::string_view> words) {
  return std::ranges::find(words, word) != words.end();
}

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// What is run, as far as the signs ask.
struct Run {
  std::string_view program;
  std::string_view script;  // a file, where an interpreter runs one
  std::string_view module;
  std::string_view first_argument;
};

void find_script(std::span<const std::string> arguments, bool is_python, Run& run) {
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    const std::string_view word = arguments[i];
    if (is_one_of(word, kInline)) return;
    if (is_python && word == "-m") {
      if (i + 1 < arguments.size()) run.module = arguments[i + 1];
      return;
    }
    if (is_one_of(word, kWithValue)) {
      ++i;
    } else if (!word.starts_with('-') && (is_python || word != "run")) {  // bun run FILE
      run.script = word;
      return;
    }
  }
}

Run run_of(std::string_view program, std::span<const std::string> arguments) {
  Run run{.program = program};
  if (arguments.size() > 1) run.first_argument = arguments[1];
  const std::string_view name = base_name(program);
  const bool is_python = name.starts_with(kPython);
  if (is_python || is_one_of(name, kInterpreters)) find_script(arguments, is_python, run);
  return run;
}

// The name of a script that lies where commands do.
std::string_view command_of(std::string_view script) {
  const std::string_view name = base_name(script);
  const std::string_view folder = script.substr(0, script.size() - name.size());
  return folder.ends_with("/bin/") || folder.ends_with("/.bin/") ? name : std::string_view{};
}

bool holds(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

bool shows(const AppSign& sign, const Run& run) {
  if (!sign.word.empty() && sign.word != run.first_argument) return false;
  switch (sign.of) {
    case AppSign::Of::none:
      return false;
    case AppSign::Of::program:
      return matches_pattern(sign.text, base_name(run.program));
    case AppSign::Of::path:
      return holds(run.program, sign.text) || holds(run.script, sign.text);
    case AppSign::Of::command:
      return command_of(run.script) == sign.text;
    case AppSign::Of::module:
      return run.module.starts_with(sign.text) &&
             (run.module.size() == sign.text.size() || run.module[sign.text.size()] == '.');
  }
  return false;
}

}  // namespace

const App* find_app(std::string_view program, std::span<const std::string> arguments) {
  const Run run = run_of(program, arguments);
  for (const App& app : known_apps()) {
    if (std::ranges::any_of(app.signs, [&](const AppSign& sign) { return shows(sign, run); })) return &app;
  }
  return nullptr;
}

}  // namespace oisp
