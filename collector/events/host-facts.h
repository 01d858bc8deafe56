// What events say about this host, read once before the sandbox is on: later there is no file to open.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

namespace oisp {

struct HostFacts {
  std::string hostname;
  std::string device_id;   // /etc/machine-id
  std::string os_version;  // PRETTY_NAME of os-release
  std::string arch;
  std::string kernel_version;
  std::string boot_id;
  std::unordered_map<std::uint32_t, std::string> users;  // by uid, from /etc/passwd
};

// What cannot be read stays empty.
HostFacts read_host_facts();

}  // namespace oisp
