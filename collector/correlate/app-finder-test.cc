// Which command lines are which application, and which only look like one.
#include <set>
#include <string>
#include <vector>

#include "collector/correlate/app-finder.h"
#include "tests/catch.h"

using namespace oisp;

namespace {

struct Started {
  std::string program;
  std::vector<std::string> arguments;
  std::string app;  // empty: none
};

}  // namespace

TEST_CASE("applications are recognised by program, package and arguments") {
  const Started started[] = {
      {"/home/a/.local/share/claude/versions/2.1.329", {"claude"}, "claude-code"},
      {"/opt/bin/claude", {"claude", "-p", "hi"}, "claude-code"},
      {"/usr/bin/node", {"node", "/usr/lib/node_modules/@anthropic-ai/claude-code/cli.js"}, "claude-code"},
      {"/usr/bin/node", {"node", "--no-warnings", "--import", "x.mjs", "/usr/local/bin/claude"}, "claude-code"},
      {"/home/a/.vscode-server/extensions/anthropic.claude-code-2.1.0-linux-x64/resources/native-binary/claude",
       {"claude"},
       "claude-code"},
      {"/usr/lib/node_modules/@openai/codex/vendor/x86_64-unknown-linux-musl/codex/codex", {"codex"}, "codex"},
      {"/usr/local/bin/codex-x86_64-unknown-linux-musl", {"codex"}, "codex"},
      {"/usr/bin/node", {"node", "/home/a/.npm-global/bin/codex", "exec"}, "codex"},
      {"/usr/bin/node",
       {"/usr/bin/node", "--max-old-space-size=4096", "/home/a/p/node_modules/.bin/gemini"},
       "gemini-cli"},
      {"/usr/local/bin/bun", {"bun", "run", "/x/node_modules/@google/gemini-cli/dist/index.js"}, "gemini-cli"},
      {"/home/a/.opencode/bin/opencode", {"opencode"}, "opencode"},
      {"/usr/bin/python3.11", {"/usr/bin/python3", "/home/a/.local/bin/aider", "--model", "x"}, "aider"},
      {"/usr/bin/python3.11", {"python3", "-X", "utf8", "-m", "aider"}, "aider"},
      {"/home/a/.local/bin/goose", {"goose", "session"}, "goose"},
      {"/home/a/.local/share/cursor-agent/versions/2026.01.02/node", {"cursor-agent", "index.js"}, "cursor-cli"},
      {"/tmp/.mount_cursorAbCd12/usr/share/cursor/cursor", {"cursor", "--type=utility"}, "cursor"},
      {"/usr/share/code/code", {"/usr/share/code/code", "--type=renderer"}, "vscode"},
      {"/home/a/.vscode-server/cli/servers/Stable-1/server/node", {"node", "out/server-main.js"}, "vscode"},
      {"/usr/local/bin/ollama", {"ollama", "serve"}, "ollama"},
      {"/opt/llama.cpp/llama-server", {"llama-server"}, "llama-cpp"},
      {"/usr/bin/python3.12", {"python3", "-m", "vllm.entrypoints.openai.api_server"}, "vllm"},
  };
  for (const Started& one : started) {
    const App* app = find_app(one.program, one.arguments);
    INFO(one.program << " " << (one.arguments.size() > 1 ? one.arguments[1] : ""));
    REQUIRE(app != nullptr);
    CHECK(app->id == one.app);
  }
}

TEST_CASE("what only speaks of an application is none") {
  const Started started[] = {
      {"/usr/bin/grep", {"grep", "-r", "claude", "/usr/lib/node_modules/@openai/codex/"}, ""},
      {"/usr/bin/vim", {"vim", "/home/a/bin/aider"}, ""},
      {"/usr/bin/python3", {"python3", "/home/a/notes/aider"}, ""},  // no command
      {"/usr/bin/python3", {"python3", "-c", "print(1)", "/usr/bin/aider"}, ""},
      {"/usr/bin/python3", {"python3", "-m", "aiderlike"}, ""},
      {"/usr/bin/python3", {"python3", "-m"}, ""},
      {"/usr/bin/node", {"node", "-e", "0", "/usr/bin/codex"}, ""},
      {"/usr/bin/node", {"node", "--import"}, ""},
      {"/usr/bin/node", {"node", "server.js"}, ""},
      {"/usr/local/bin/goose", {"goose", "up"}, ""},        // of databases
      {"/usr/sbin/zed", {"zed", "-F"}, ""},                 // of ZFS
      {"/usr/local/bin/copilot", {"copilot", "init"}, ""},  // of AWS
      {"/usr/bin/claudette", {"claudette"}, ""},
      {"", {}, ""},
  };
  for (const Started& one : started) {
    INFO(one.program << " " << (one.arguments.size() > 1 ? one.arguments[1] : ""));
    CHECK(find_app(one.program, one.arguments) == nullptr);
  }
}

TEST_CASE("the catalogue is whole: each application has its words, and a sign") {
  const std::set<std::string_view> categories = {"dev_tools", "chat", "cli", "server"};
  std::set<std::string_view> ids;
  for (const App& app : known_apps()) {
    INFO(app.id);
    CHECK(ids.insert(app.id).second);
    CHECK_FALSE(app.name.empty());
    CHECK_FALSE(app.vendor.empty());
    CHECK(categories.contains(app.category));
    CHECK(app.signs[0].of != AppSign::Of::none);
    for (const AppSign& sign : app.signs) CHECK((sign.of == AppSign::Of::none) == sign.text.empty());
  }
}
