#include "data/apps.h"

namespace oisp {
namespace {

constexpr AppSign program(std::string_view name, std::string_view word = {}) {
  return {.of = AppSign::Of::program, .text = name, .word = word};
}
constexpr AppSign path(std::string_view part) { return {.of = AppSign::Of::path, .text = part, .word = {}}; }
constexpr AppSign command(std::string_view name) { return {.of = AppSign::Of::command, .text = name, .word = {}}; }
constexpr AppSign module(std::string_view name) { return {.of = AppSign::Of::module, .text = name, .word = {}}; }

// Names that other programs have, too, are left out (zed is a daemon of ZFS, copilot a tool of AWS, goose migrates
// databases): there a package's folder, an interpreter or an argument has to say which one it is.
constexpr App kApps[] = {
    // Agents on the command line.
    {"claude-code",
     "Claude Code",
     "Anthropic",
     "cli",
     AppRole::ai_app,
     {program("claude"), path("/@anthropic-ai/claude-code"), path("/claude/versions/"), path("/anthropic.claude-code-"),
      command("claude")}},
    {"codex",
     "Codex",
     "OpenAI",
     "cli",
     AppRole::ai_app,
     {program("codex"), program("codex-x86_64-*"), program("codex-aarch64-*"), path("/@openai/codex"),
      command("codex")}},
    {"gemini-cli", "Gemini CLI", "Google", "cli", AppRole::ai_app, {path("/@google/gemini-cli"), command("gemini")}},
    {"qwen-code", "Qwen Code", "Alibaba", "cli", AppRole::ai_app, {path("/@qwen-code/qwen-code"), command("qwen")}},
    {"opencode",
     "opencode",
     "SST",
     "cli",
     AppRole::ai_app,
     {program("opencode"), path("/opencode-ai/"), path("/opencode-linux-"), command("opencode")}},
    {"crush", "Crush", "Charm", "cli", AppRole::ai_app, {path("/@charmland/crush")}},
    {"github-copilot-cli",
     "GitHub Copilot CLI",
     "GitHub",
     "cli",
     AppRole::ai_app,
     {path("/@github/copilot"), command("copilot")}},
    {"cursor-cli",
     "Cursor CLI",
     "Anysphere",
     "cli",
     AppRole::ai_app,
     {program("cursor-agent"), path("/cursor-agent/"), command("cursor-agent")}},
    {"amp", "Amp", "Sourcegraph", "cli", AppRole::ai_app, {path("/@sourcegraph/amp")}},
    {"auggie", "Auggie", "Augment Code", "cli", AppRole::ai_app, {path("/@augmentcode/auggie")}},
    {"cline", "Cline", "Cline", "cli", AppRole::ai_app, {path("/node_modules/cline/")}},
    {"continue", "Continue", "Continue", "cli", AppRole::ai_app, {path("/@continuedev/cli")}},
    {"aider", "aider", "Aider AI", "cli", AppRole::ai_app, {command("aider"), module("aider")}},
    {"goose",
     "goose",
     "Block",
     "cli",
     AppRole::ai_app,
     {program("goose", "session"), program("goose", "run"), program("goose", "web"), program("goose", "acp"),
      program("goosed")}},
    {"openhands", "OpenHands", "All Hands AI", "cli", AppRole::ai_app, {command("openhands"), module("openhands")}},
    {"open-interpreter",
     "Open Interpreter",
     "Open Interpreter",
     "cli",
     AppRole::ai_app,
     {command("interpreter"), module("interpreter")}},
    {"llm", "LLM", "Simon Willison", "cli", AppRole::ai_app, {command("llm"), module("llm")}},
    // Desktops and editors.
    {"claude-desktop", "Claude", "Anthropic", "chat", AppRole::ai_app, {path("/claude-desktop/")}},
    {"cursor",
     "Cursor",
     "Anysphere",
     "dev_tools",
     AppRole::both,
     {path("/share/cursor/"), path("/opt/Cursor/"), path("/.mount_cursor"), path("/.mount_Cursor"),
      path("/.cursor-server/")}},
    {"windsurf",
     "Windsurf",
     "Cognition",
     "dev_tools",
     AppRole::both,
     {path("/share/windsurf/"), path("/opt/Windsurf/"), path("/.windsurf-server/")}},
    {"vscode",
     "Visual Studio Code",
     "Microsoft",
     "dev_tools",
     AppRole::ai_host,
     {path("/share/code/"), path("/share/code-insiders/"), path("/visual-studio-code/"), path("/snap/code/"),
      path("/.vscode-server/"), path("/VSCode-linux-")}},
    {"vscodium", "VSCodium", "VSCodium", "dev_tools", AppRole::ai_host, {path("/share/codium/")}},
    {"code-server", "code-server", "Coder", "dev_tools", AppRole::ai_host, {path("/code-server/")}},
    {"zed", "Zed", "Zed Industries", "dev_tools", AppRole::ai_host, {program("zed-editor")}},
    // Servers of models on this machine.
    {"ollama", "Ollama", "Ollama", "server", AppRole::ai_app, {program("ollama"), path("/ollama/runners/")}},
    {"llama-cpp", "llama.cpp", "ggml.org", "server", AppRole::ai_app, {program("llama-server"), program("llama-cli")}},
    {"vllm", "vLLM", "vLLM", "server", AppRole::ai_app, {command("vllm"), module("vllm")}},
    {"sglang", "SGLang", "SGLang", "server", AppRole::ai_app, {module("sglang")}},
    {"lm-studio",
     "LM Studio",
     "Element Labs",
     "server",
     AppRole::ai_app,
     {path("/.lmstudio/"), path("/LM-Studio"), path("/.mount_LM-Stu")}},
    {"local-ai", "LocalAI", "LocalAI", "server", AppRole::ai_app, {program("local-ai")}},
};

}  // namespace

std::span<const App> known_apps() { return kApps; }

}  // namespace oisp
