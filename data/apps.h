// Applications that use models, and how each is recognised.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace oisp {

enum class AppRole : std::uint8_t {
  ai_app,   // made for models: an agent, a chat, a server of models
  ai_host,  // made for something else, with models inside or in its extensions
  both,
};

struct AppSign {
  enum class Of : std::uint8_t {
    none,
    program,  // the program's name without its folder; a star stands for one or more characters
    path,     // a part of the program's path, or of the path of the script that an interpreter was given
    command,  // a script of this name in a folder called bin or .bin, given to an interpreter
    module,   // python -m: this one, or one inside it
  };
  Of of = Of::none;
  std::string_view text;
  std::string_view word;  // where not empty, also the first argument: the name alone is others', too
};

struct App {
  std::string_view id;
  std::string_view name;
  std::string_view vendor;
  std::string_view category;  // OISP's word: dev_tools, chat, cli, server, …
  AppRole role = AppRole::ai_app;
  std::array<AppSign, 6> signs = {};  // any one is enough
};

// In the order in which they are tried: a part of another one comes before it.
std::span<const App> known_apps();

}  // namespace oisp
