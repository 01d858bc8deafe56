// What a recording would find here: facts, without a judgement. Nothing is attached, loaded or changed; all of it is
// read from the kernel's own files, and from what sudo says.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace oisp {

// Bits of Surroundings::hooks, by the places in OISP_HOOKS (bpf/records.h).
using HookBits = std::uint32_t;

enum class SudoAnswer : std::uint8_t {
  not_needed,  // we are root
  not_there,
  cannot_raise,  // no_new_privs
  permits,       // without asking
  asks,          // for a password, on the terminal
  cannot_ask,    // for there is no terminal
};

struct Surroundings {
  std::string kernel;   // its release
  std::string machine;  // as uname has it
  int types_error = 0;  // errno of reading the kernel's type information
  HookBits hooks = 0;   // tracepoints that it has
  bool uprobe_multi = false;
  bool perf_uprobes = false;
  std::vector<std::string> lacking_helpers;  // functions for BPF programs, by the kernel's names
  bool initial_pid_namespace = false;
  std::string lockdown;  // the mode; empty where the kernel has none
  bool seccomp = false;  // with killing of the whole process
  bool under_seccomp = false;
  int landlock = 0;  // version; 0: none
  SudoAnswer sudo = SudoAnswer::not_there;
  std::vector<std::string> missing_capabilities;  // of root, where we are root; else of the bounding set
  std::vector<std::string> missing_parts;         // of the installation
  std::string folder;                             // of the launcher
  std::uint64_t most_files = 0;                   // descriptors: the hard limit
  std::uint64_t most_namespaces = 0;              // of the network, that a user may make
};

Surroundings look_around();

}  // namespace oisp
