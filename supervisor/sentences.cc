#include "supervisor/sentences.h"

namespace oisp {
namespace {

struct Sentence {
  std::string_view word;
  std::string_view before;  // the detail stands between the two
  std::string_view after;
};

constexpr Sentence kSentences[] = {
    {"no_right_to_load", "the kernel does not let this process load BPF programs (",
     "): run as root outside of containers without CAP_BPF and CAP_PERFMON, and without lockdown=confidentiality"},
    {"programs_refused", "this kernel does not take the sensor's programs (", "): Linux 6.1 or later is needed"},
    {"no_kernel_types", "this kernel has no type information in /sys/kernel/btf/vmlinux (",
     "): a kernel built with CONFIG_DEBUG_INFO_BTF is needed, such as Debian's own"},
    {"no_uprobes", "this kernel has no uprobes (", "): one built with CONFIG_UPROBE_EVENTS is needed"},
    {"needs_sys_admin",
     "this kernel has perf uprobes only, which need CAP_SYS_ADMIN: run as root, and in a container add that "
     "capability",
     ""},
    {"probes_kill",
     "on this kernel return probes kill programs that run under seccomp (a fault of Linux 6.11 to 6.13): install a "
     "later kernel",
     ""},
    {"probes_do_not_fire", "uprobes are accepted by this kernel but do not fire", ""},
    {"probes_not_attached", "uprobes cannot be placed on this kernel: OISP_LOG=debug says more", ""},
};

}  // namespace

std::string sentence_of(std::string_view word, std::string_view detail) {
  for (const Sentence& one : kSentences) {
    if (one.word != word) continue;
    std::string sentence(one.before);
    if (!one.after.empty()) sentence.append(detail).append(one.after);
    return sentence;
  }
  return std::string(detail);
}

}  // namespace oisp
