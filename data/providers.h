// Which hosts are which provider's.
#pragma once

#include <span>
#include <string_view>

namespace oisp {

struct ProviderHost {
  // A host name in lower case; a star stands for one or more characters, a port at its end is meant.
  std::string_view host;
  std::string_view provider;  // OISP's word
};

std::span<const ProviderHost> provider_hosts();

}  // namespace oisp
