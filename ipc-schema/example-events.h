// One example of each event type, filled by hand with builders as the collector fills them: the
// event reference shows them, and tests of whatever reads events start from them.
#pragma once

#include <event.capnp.h>

#include <cstddef>

namespace oisp {

inline constexpr std::size_t kExampleCount = 15;

// `index` < kExampleCount; in the order of the schema.
void build_example_event(std::size_t index, schema::Event::Builder event);

}  // namespace oisp
