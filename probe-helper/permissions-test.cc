#include "probe-helper/permissions.h"

#include "tests/catch.h"

namespace oisp {

TEST_CASE("what is not in the table is refused in every phase") {
  for (const Phase phase : {Phase::setup, Phase::starting, Phase::running, Phase::draining}) {
    for (std::uint32_t kind = 0; kind < 256; ++kind) {
      const auto order = static_cast<OrderKind>(kind);
      const bool known = order == OrderKind::config || order == OrderKind::adopt || order == OrderKind::watch ||
                         order == OrderKind::file || order == OrderKind::begin || order == OrderKind::collector ||
                         order == OrderKind::opener || order == OrderKind::scanner || order == OrderKind::drain;
      if (!known) {
        CHECK_FALSE(is_permitted(order, phase, true));
        CHECK_FALSE(is_permitted(order, phase, false));
      }
    }
  }
}

TEST_CASE("what is watched is settled before the start") {
  for (const OrderKind kind : {OrderKind::watch, OrderKind::config, OrderKind::begin}) {
    CHECK(is_permitted(kind, Phase::setup, false));
    CHECK_FALSE(is_permitted(kind, Phase::starting, false));
    CHECK_FALSE(is_permitted(kind, Phase::running, false));
    CHECK_FALSE(is_permitted(kind, Phase::draining, false));
  }
  CHECK_FALSE(is_permitted(OrderKind::file, Phase::running, true));
  CHECK_FALSE(is_permitted(OrderKind::adopt, Phase::running, true));
}

TEST_CASE("an order brings a descriptor exactly where it must") {
  CHECK(is_permitted(OrderKind::collector, Phase::running, true));
  CHECK_FALSE(is_permitted(OrderKind::collector, Phase::running, false));
  CHECK_FALSE(is_permitted(OrderKind::scanner, Phase::setup, true));
  CHECK(is_permitted(OrderKind::drain, Phase::running, false));
  CHECK_FALSE(is_permitted(OrderKind::drain, Phase::running, true));
}

}  // namespace oisp
