// Who is connected with whom: this table is all that the roles have of each other.
#pragma once

#include "ipc-schema/order.h"

namespace oisp {

// A connection between two roles, and the order that brings each of them its end.
struct RoleLink {
  RoleKind a;
  RoleKind b;
  bool stream;  // else SOCK_SEQPACKET
  OrderKind to_a;
  OrderKind to_b;
};

inline constexpr RoleLink kRoleLinks[] = {
    {RoleKind::collector, RoleKind::exporter_jsonl, true, OrderKind::sink, OrderKind::collector},
    {RoleKind::collector, RoleKind::exporter_terminal, true, OrderKind::sink, OrderKind::collector},
    {RoleKind::collector, RoleKind::probe_helper, true, OrderKind::helper, OrderKind::collector},
    {RoleKind::file_opener, RoleKind::probe_helper, false, OrderKind::helper, OrderKind::opener},
};

}  // namespace oisp
