// Which order is allowed when. What is not in the table is refused, and ends the helper: the
// launcher, which alone has the other end, never sends it.
#pragma once

#include <cstdint>

#include "ipc-schema/order.h"

namespace oisp {

enum class Phase : std::uint8_t {
  setup = 1,     // being told what to do
  starting = 2,  // attaching to the files given
  running = 4,
  draining = 8,  // sending what is left
};

[[nodiscard]] bool is_permitted(OrderKind kind, Phase phase, bool has_fd);

}  // namespace oisp
