#include "collector/events/host-facts.h"

#include <sys/utsname.h>

#include <charconv>
#include <fstream>
#include <string_view>

namespace oisp {
namespace {

std::string first_line(const char* path) {
  std::ifstream file(path);
  std::string line;
  (void)std::getline(file, line);
  return line;
}

std::string pretty_name() {
  constexpr std::string_view kKey = "PRETTY_NAME=";
  for (const char* path : {"/etc/os-release", "/usr/lib/os-release"}) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
      if (!line.starts_with(kKey)) continue;
      std::string value = line.substr(kKey.size());
      if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
      return value;
    }
  }
  return {};
}

// passwd(5): name:password:uid:…
void read_users(HostFacts& facts) {
  std::ifstream file("/etc/passwd");
  for (std::string line; std::getline(file, line);) {
    const std::size_t name_end = line.find(':');
    if (name_end == std::string::npos) continue;
    const std::size_t uid_begin = line.find(':', name_end + 1);
    if (uid_begin == std::string::npos) continue;
    std::uint32_t uid = 0;
    const auto parsed = std::from_chars(line.data() + uid_begin + 1, line.data() + line.size(), uid);
    if (parsed.ec == std::errc{}) facts.users.emplace(uid, line.substr(0, name_end));
  }
}

}  // namespace

HostFacts read_host_facts() {
  HostFacts facts{.hostname = {},
                  .device_id = first_line("/etc/machine-id"),
                  .os_version = pretty_name(),
                  .arch = {},
                  .kernel_version = {},
                  .boot_id = first_line("/proc/sys/kernel/random/boot_id"),
                  .users = {}};
  utsname names{};
  if (::uname(&names) == 0) {
    facts.hostname = names.nodename;
    facts.arch = names.machine;
    facts.kernel_version = names.release;
  }
  read_users(facts);
  return facts;
}

}  // namespace oisp
