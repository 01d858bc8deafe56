// The roles that the launcher starts: which program, with which rights and limits, and who is
// connected with whom. These two tables are the whole policy.
#pragma once

#include <sys/capability.h>

#include <cstdint>
#include <span>

#include "ipc-schema/order.h"

namespace oisp {

enum class RoleKind : std::uint8_t { collector, exporter_jsonl, exporter_terminal, file_opener, probe_helper, scanner };
inline constexpr std::size_t kRoleKinds = 6;

struct RoleEntry {
  RoleKind kind;
  const char* program;  // beside the launcher
  std::span<const int> capabilities;
  std::uint64_t most_memory;     // bytes of address space; 0: unlimited
  std::uint64_t most_files;      // descriptors
  std::uint64_t most_processes;  // of its uid, threads included
  std::uint64_t most_seconds;    // of CPU; 0: unlimited
  bool restart;
  bool own_network;  // an empty network namespace of its own; else the launcher's, which is as empty
};

// In the order of RoleKind.
std::span<const RoleEntry, kRoleKinds> role_table();
// What a helper gets besides, once it said that the kernel wants it (no uprobe_multi).
std::span<const int> helper_fallback_capabilities();

// A connection between two roles, and the order that brings each of them its end.
struct RoleLink {
  RoleKind a;
  RoleKind b;
  bool stream;  // else SOCK_SEQPACKET
  OrderKind to_a;
  OrderKind to_b;
};
std::span<const RoleLink> role_links();

}  // namespace oisp
