#include "cli/preflight.h"

#include <algorithm>
#include <cstring>

#include "base/log.h"
#include "bpf/records.h"
#include "cli/exit-status.h"
#include "ipc-schema/json-text.h"

namespace oisp {
namespace {

// Each role has an empty network namespace of its own, and there are up to eight of them.
constexpr std::uint64_t kFewNamespaces = 16;
// Maps, programs, roles and some links for each probed file.
constexpr std::uint64_t kFewFiles = 1024;

// What is not there without a tracepoint that can be done without, by their names in OISP_HOOKS.
struct HookCost {
  std::string_view hook;
  const char* cost;
};
constexpr HookCost kHookCosts[] = {
    {"inet_sock_set_state", "connects are not seen: no event of them, and what was not read may go unnamed"},
    {"sock_send_length",
     "first bytes of connections are not seen, so port 443 stands for TLS: what was not read "
     "on other ports goes unnamed; HTTP without TLS, as local model servers speak it, is not seen"},
    {"sock_recv_length",
     "the address behind a stream may be missing where a program only reads; HTTP without TLS is not seen"},
    {"vm_unmapped_area",
     "libraries are not noticed when a process maps them: those in the system's folders, and programs, are read"},
};

std::string list_of(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

Point good(const char* name, std::string found) { return {.name = name, .found = std::move(found)}; }
Point less(const char* name, std::string found, std::string advice) {
  return {.name = name, .verdict = Verdict::less, .found = std::move(found), .advice = std::move(advice)};
}
Point refused(const char* name, int exit_status, std::string found, std::string advice) {
  return {.name = name,
          .verdict = Verdict::refused,
          .found = std::move(found),
          .advice = std::move(advice),
          .exit_status = exit_status};
}

Point judge_kernel(const Surroundings& found) {
  const std::string name = "Linux " + found.kernel + ", " + found.machine;
  if (found.machine != "x86_64") {
    return refused("kernel", kUnsupported, name, "Programs of x86-64 alone can be captured as yet.");
  }
  if (found.types_error != 0) return good("kernel", name);
  if (!found.lacking_helpers.empty()) {
    return refused("kernel", kUnsupported, name + ", without " + list_of(found.lacking_helpers),
                   "The sensor's programs call these: Linux 6.1 or later is needed.");
  }
  return good("kernel", name);
}

Point judge_types(const Surroundings& found) {
  constexpr const char* kName = "kernel types";
  if (found.types_error == 0) return good(kName, "in /sys/kernel/btf/vmlinux");
  return refused(kName, kUnsupported, std::strerror(found.types_error),
                 "The kernel's type information in /sys/kernel/btf/vmlinux is needed: install a kernel built with "
                 "CONFIG_DEBUG_INFO_BTF, such as Debian's own.");
}

Point judge_probes(const Surroundings& found) {
  constexpr const char* kName = "probes";
  if (found.uprobe_multi) return good(kName, "uprobe_multi");
  if (found.perf_uprobes) {
    return less(kName, "perf uprobes",
                "This kernel has no uprobe_multi (Linux 6.6): the helper holds CAP_SYS_ADMIN besides its two "
                "capabilities, and placing probes takes longer.");
  }
  return refused(kName, kUnsupported, "no uprobes",
                 "A kernel built with CONFIG_UPROBE_EVENTS and CONFIG_BPF_EVENTS is needed, such as Debian's own.");
}

Point judge_hooks(const Surroundings& found) {
  constexpr const char* kName = "tracepoints";
  constexpr const char* kHooks[OISP_HOOK_COUNT] = OISP_HOOKS;
  std::vector<std::string> needed;
  std::vector<std::string> costs;
  for (unsigned i = 0; i < OISP_HOOK_COUNT; ++i) {
    if ((found.hooks >> i & 1) != 0) continue;
    if (i < OISP_HOOKS_REQUIRED) {
      needed.emplace_back(kHooks[i]);
      continue;
    }
    const auto* cost = std::ranges::find(kHookCosts, std::string_view(kHooks[i]), &HookCost::hook);
    costs.push_back(std::string(kHooks[i]) + ": " +
                    (cost != std::end(kHookCosts) ? cost->cost : "its events are missing"));
  }
  if (!needed.empty()) {
    return refused(kName, kUnsupported, "without " + list_of(needed),
                   "Processes cannot be followed: Linux 6.1 or later, with its type information, is needed.");
  }
  if (costs.empty()) return good(kName, "all " + std::to_string(OISP_HOOK_COUNT));
  std::string advice = "Without ";
  for (const std::string& cost : costs) advice += (&cost == &costs.front() ? "" : "; without ") + cost;
  return less(kName, std::to_string(OISP_HOOK_COUNT - costs.size()) + " of " + std::to_string(OISP_HOOK_COUNT),
              advice + ".");
}

Point judge_pid_namespace(const Surroundings& found) {
  if (found.initial_pid_namespace) return good("pid namespace", "the host's");
  return refused("pid namespace", kUnsupported, "a container's own",
                 "Processes cannot be told apart here: run oisp-sensor on the host, or with --pid=host.");
}

Point judge_lockdown(const Surroundings& found) {
  if (found.lockdown == "confidentiality") {
    return refused("lockdown", kNoPermission, found.lockdown,
                   "The kernel lets nobody read memory by BPF: start it without lockdown=confidentiality.");
  }
  return good("lockdown", found.lockdown.empty() ? "none is known" : found.lockdown);
}

Point judge_confinement(const Surroundings& found) {
  constexpr const char* kName = "confinement";
  const std::string landlock =
      found.landlock > 0 ? "Landlock " + std::to_string(found.landlock) + " (not used)" : "no Landlock (not used)";
  if (!found.seccomp) {
    return refused(kName, kUnsupported, "no seccomp",
                   "What reads strangers' bytes is confined by seccomp, and not started without: a kernel built with "
                   "CONFIG_SECCOMP_FILTER is needed.");
  }
  if (found.under_seccomp) {
    return less(kName, "seccomp, " + landlock + "; we are under a filter",
                "Whoever started this shell filters system calls (a container?): where bpf or perf_event_open is among "
                "them, nothing can be captured.");
  }
  return good(kName, "seccomp, " + landlock);
}

Point judge_rights(const Surroundings& found) {
  constexpr const char* kName = "rights";
  if (!found.missing_capabilities.empty()) {
    const bool is_root = found.sudo == SudoAnswer::not_needed;
    return refused(
        kName, kNoPermission,
        std::string(is_root ? "root without " : "root has not got here: ") + list_of(found.missing_capabilities),
        "In a container add these capabilities (or --privileged); else run it outside.");
  }
  switch (found.sudo) {
    case SudoAnswer::not_needed:
      return good(kName, "root");
    case SudoAnswer::permits:
      return good(kName, "sudo, without a password");
    case SudoAnswer::asks:
      return less(kName, "sudo, which may ask for a password",
                  "Whether it lets you run the launcher is seen then; `sudo -v` tries it now.");
    case SudoAnswer::cannot_ask:
      return refused(kName, kNoPermission, "sudo does not permit it without a password, and there is no terminal",
                     "Run this on a terminal, run it as root, or have a rule for the launcher added to sudoers.");
    case SudoAnswer::cannot_raise:
      return refused(kName, kNoPermission, "no_new_privs: sudo cannot work in this session",
                     "Run it outside of the sandbox or container that set this.");
    case SudoAnswer::not_there:
      break;
  }
  return refused(kName, kNoPermission, "neither root nor sudo", "Run it as root, or install sudo.");
}

Point judge_installation(const Surroundings& found) {
  if (found.missing_parts.empty()) return good("installation", "complete, in " + printable(found.folder));
  return refused("installation", kFailure, "without " + list_of(found.missing_parts) + " in " + printable(found.folder),
                 "Install oisp-sensor again.");
}

Point judge_limits(const Surroundings& found) {
  constexpr const char* kName = "limits";
  const std::string files = std::to_string(found.most_files) + " descriptors";
  if (found.most_namespaces < kFewNamespaces) {
    return refused(kName, kFailure, std::to_string(found.most_namespaces) + " network namespaces",
                   "Each process of the sensor has one of its own: sysctl user.max_net_namespaces=64");
  }
  if (found.most_files < kFewFiles) {
    return less(kName, files,
                "Probes of many files need more: those that do not fit are reported as not probed. ulimit -Hn 16384");
  }
  return good(kName, files);
}

const char* word_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::good:
      return "ok";
    case Verdict::less:
      return "less";
    case Verdict::refused:
      break;
  }
  return "NO";
}

}  // namespace

std::vector<Point> judge(const Surroundings& found) {
  std::vector<Point> points{judge_kernel(found), judge_types(found)};
  // Without its types nothing can be said of what the kernel has.
  if (found.types_error == 0) {
    points.push_back(judge_probes(found));
    points.push_back(judge_hooks(found));
  }
  for (const auto judge_one :
       {judge_pid_namespace, judge_lockdown, judge_confinement, judge_rights, judge_installation, judge_limits}) {
    points.push_back(judge_one(found));
  }
  return points;
}

int exit_status_of(const std::vector<Point>& points) {
  for (const int status : {kUnsupported, kNoPermission, kFailure}) {
    if (std::ranges::find(points, status, &Point::exit_status) != points.end()) return status;
  }
  return kOk;
}

std::string preflight_report(const std::vector<Point>& points) {
  std::string text;
  for (const Point& point : points) {
    std::string line = word_of(point.verdict);
    line.resize(6, ' ');
    line += point.name;
    line.resize(21, ' ');
    text += line + point.found + "\n";
    if (!point.advice.empty()) text += std::string(21, ' ') + point.advice + "\n";
  }
  return text + (exit_status_of(points) == kOk ? "\nREADY\n" : "\nNOT READY\n");
}

std::string preflight_report_json(const std::vector<Point>& points) {
  const int status = exit_status_of(points);
  std::string json = std::string("{\"ready\":") + (status == kOk ? "true" : "false") +
                     ",\"exit_status\":" + std::to_string(status) + ",\"points\":[";
  for (const Point& point : points) {
    if (&point != &points.front()) json += ',';
    json += "{\"name\":";
    append_json_string(json, point.name);
    json += std::string(",\"verdict\":\"") + word_of(point.verdict) + "\",\"found\":";
    append_json_string(json, point.found);
    if (!point.advice.empty()) {
      json += ",\"advice\":";
      append_json_string(json, point.advice);
    }
    json += '}';
  }
  return json + "]}\n";
}

}  // namespace oisp
