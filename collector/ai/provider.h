// Who answers at a host: the provider catalogue (data/providers.cc).
#pragma once

#include <string_view>

namespace oisp {

struct Provider {
  std::string_view name;  // OISP's word
};

// By host as the program sent it: any case, with or without port. Null where the catalogue has none.
const Provider* find_provider(std::string_view host);

}  // namespace oisp
