// Who answers at a host: looks it up in the catalogue (data/providers.cc).
#pragma once

#include <string_view>

namespace oisp {

// OISP's word for the provider, by host as the program sent it: in any case, with or without a port.
// Empty where the catalogue does not know the host.
std::string_view find_provider(std::string_view host);

}  // namespace oisp
