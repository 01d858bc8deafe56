#include "supervisor/sentences.h"

#include <cerrno>
#include <cstring>

namespace oisp {
namespace {

struct Sentence {
  std::string_view word;
  int exit_status;
  std::string_view before;  // the system's own words stand between the two, where there is an `after`
  std::string_view after;
};

constexpr Sentence kNoRight = {
    "load", 3, "the kernel does not let this process load BPF programs (",
    "): run as root outside of containers without CAP_BPF and CAP_PERFMON, and without lockdown=confidentiality"};

constexpr Sentence kSentences[] = {
    {"load", 4, "this kernel does not take the sensor's programs (", "): Linux 6.1 or later is needed"},
    {"no_kernel_types", 4, "this kernel has no type information in /sys/kernel/btf/vmlinux (",
     "): a kernel built with CONFIG_DEBUG_INFO_BTF is needed, such as Debian's own"},
    {"no_uprobes", 4, "this kernel has no uprobes (", "): one built with CONFIG_UPROBE_EVENTS is needed"},
    {"needs_sys_admin", 3,
     "this kernel has perf uprobes only, which need CAP_SYS_ADMIN: run as root, and in a container add that capability",
     ""},
    {"probes_kill", 4,
     "on this kernel return probes kill programs that run under seccomp (a fault of Linux 6.11 to 6.13): install a "
     "later kernel",
     ""},
    {"probes_do_not_fire", 4, "uprobes are accepted by this kernel but do not fire", ""},
    {"probes_not_attached", 4, "uprobes cannot be placed on this kernel: OISP_LOG=debug says more", ""},
};

std::string fill(const Sentence& sentence, int error) {
  std::string text(sentence.before);
  if (!sentence.after.empty()) text.append(std::strerror(error)).append(sentence.after);
  return text;
}

}  // namespace

Refusal refusal_of(std::string_view what, int error) {
  if (what == kNoRight.word && (error == EPERM || error == EACCES)) {
    return {.exit_status = kNoRight.exit_status, .sentence = fill(kNoRight, error)};
  }
  for (const Sentence& one : kSentences) {
    if (one.word == what) return {.exit_status = one.exit_status, .sentence = fill(one, error)};
  }
  std::string sentence(what);
  if (error != 0) sentence.append(": ").append(std::strerror(error));
  return {.exit_status = 1, .sentence = std::move(sentence)};
}

}  // namespace oisp
