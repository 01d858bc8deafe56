#include "cli/identity.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <optional>

namespace oisp {
namespace {

std::optional<unsigned> number_in(const char* variable) {
  const char* text = std::getenv(variable);
  if (text == nullptr) return std::nullopt;
  unsigned number = 0;
  const char* end = text + std::strlen(text);
  const auto read = std::from_chars(text, end, number);
  if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
  return number;
}

}  // namespace

Identity find_identity() {
  Identity identity{.uid = ::geteuid(), .gid = ::getegid()};
  const auto sudo_uid = number_in("SUDO_UID");
  const auto sudo_gid = number_in("SUDO_GID");
  if (identity.uid == 0 && sudo_uid && sudo_gid && *sudo_uid != 0) {
    identity.uid = *sudo_uid;
    identity.gid = *sudo_gid;
    identity.through_sudo = true;
  }
  if (const passwd* entry = ::getpwuid(identity.uid); entry != nullptr) {
    identity.name = entry->pw_name;
    identity.home = entry->pw_dir;
    identity.shell = entry->pw_shell;
  } else {
    identity.name = std::to_string(identity.uid);
  }
  return identity;
}

Status become(const Identity& identity) {
  if (!identity.through_sudo) return Done{};
  if (identity.home.empty() ? ::setgroups(1, &identity.gid) != 0
                            : ::initgroups(identity.name.c_str(), identity.gid) != 0) {
    return errno_fault("take the user's groups");
  }
  if (::setresgid(identity.gid, identity.gid, identity.gid) != 0) return errno_fault("take the user's group");
  if (::setresuid(identity.uid, identity.uid, identity.uid) != 0) return errno_fault("become the user");
  const std::pair<const char*, const std::string&> variables[] = {
      {"HOME", identity.home}, {"SHELL", identity.shell}, {"USER", identity.name}, {"LOGNAME", identity.name}};
  for (const auto& [variable, value] : variables) {
    if (!value.empty()) (void)::setenv(variable, value.c_str(), 1);
  }
  for (const char* variable : {"SUDO_UID", "SUDO_GID", "SUDO_USER", "SUDO_COMMAND"}) (void)::unsetenv(variable);
  return Done{};
}

}  // namespace oisp
