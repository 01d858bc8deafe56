#include "cli/surroundings.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>
#include <string_view>

#include "base/owned-fd.h"
#include "bpf/records.h"
#include "cli/held-child.h"
#include "cli/installation.h"
#include "cli/start-launcher.h"
#include "ipc-schema/order.h"

namespace oisp {
namespace {

// The initial pid namespace has a fixed inode number (PROC_PID_INIT_INO of linux/proc_ns.h).
constexpr ino_t kInitialPidNamespace = 0xEFFFFFFC;
// As the launcher asks for them.
constexpr cap_value_t kNeededCapabilities[] = {
    CAP_BPF,    CAP_PERFMON, CAP_SYS_ADMIN, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_CHECKPOINT_RESTORE,
    CAP_SETUID, CAP_SETGID,  CAP_SETPCAP,   CAP_KILL};
// What bpf/ calls and older kernels have not: ring buffer (5.8), cookies (5.15), loops (5.17), another task's
// memory (5.18).
constexpr const char* kNeededHelpers[] = {"BPF_FUNC_ringbuf_reserve", "BPF_FUNC_get_attach_cookie", "BPF_FUNC_loop",
                                          "BPF_FUNC_copy_from_user_task"};

std::string first_line(const char* path) {
  std::ifstream file(path);
  std::string line;
  (void)std::getline(file, line);
  return line;
}

void look_at_helpers(const btf* types, Surroundings& found) {
  const int id = ::btf__find_by_name_kind(types, "bpf_func_id", BTF_KIND_ENUM);
  std::vector<std::string_view> names;
  if (const btf_type* ids = id > 0 ? ::btf__type_by_id(types, static_cast<unsigned>(id)) : nullptr) {
    const struct btf_enum* members = ::btf_enum(ids);  // the function has its name, too
    for (unsigned i = 0; i < ::btf_vlen(ids); ++i) {
      if (const char* name = ::btf__name_by_offset(types, members[i].name_off)) names.emplace_back(name);
    }
  }
  for (const char* helper : kNeededHelpers) {
    if (std::ranges::find(names, helper) == names.end()) found.lacking_helpers.emplace_back(helper);
  }
}

// A function of the kernel that the sensor attaches to where the tracepoint is missing. On other machines than x86-64
// that is possible much later than the functions are there.
bool has_stand_in([[maybe_unused]] const btf* types, [[maybe_unused]] std::string_view hook) {
#if defined(__x86_64__)
  const char* function = hook == "sock_send_length" ? "tcp_sendmsg" : hook == "sock_recv_length" ? "tcp_recvmsg" : "";
  return ::btf__find_by_name_kind(types, function, BTF_KIND_FUNC) > 0;
#else
  return false;
#endif
}

// By the kernel's own types: what has a version number of its own (Debian, Red Hat) has not the features of it.
void look_at_kernel(Surroundings& found) {
  utsname name{};
  if (::uname(&name) == 0) {
    found.kernel = name.release;
    found.machine = name.machine;
  }
  struct stat status {};
  found.perf_uprobes = ::stat("/sys/bus/event_source/devices/uprobe/type", &status) == 0 &&
                       ::stat("/sys/bus/event_source/devices/uprobe/format/retprobe", &status) == 0;
  (void)::libbpf_set_print(nullptr);
  errno = 0;
  const std::unique_ptr<btf, void (*)(btf*)> types(::btf__load_vmlinux_btf(), ::btf__free);
  if (!types) {
    found.types_error = errno != 0 ? errno : EINVAL;
    return;
  }
  constexpr const char* kHooks[OISP_HOOK_COUNT] = OISP_HOOKS;
  for (unsigned i = 0; i < OISP_HOOK_COUNT; ++i) {
    const std::string type = std::string("btf_trace_") + kHooks[i];
    const bool there = ::btf__find_by_name_kind(types.get(), type.c_str(), BTF_KIND_TYPEDEF) > 0;
    if (there || has_stand_in(types.get(), kHooks[i])) found.hooks |= 1u << i;
  }
  found.uprobe_multi = ::btf__find_by_name_kind(types.get(), "bpf_uprobe_multi_link", BTF_KIND_STRUCT) > 0;
  look_at_helpers(types.get(), found);
}

void look_at_confinement(Surroundings& found) {
  struct stat space {};
  found.initial_pid_namespace = ::stat("/proc/self/ns/pid", &space) == 0 && space.st_ino == kInitialPidNamespace;
  // "none [integrity] confidentiality"
  const std::string modes = first_line("/sys/kernel/security/lockdown");
  const std::size_t begin = modes.find('[');
  const std::size_t end = modes.find(']');
  if (begin < end && end != std::string::npos) found.lockdown = modes.substr(begin + 1, end - begin - 1);
  found.seccomp = first_line("/proc/sys/kernel/seccomp/actions_avail").find("kill_process") != std::string::npos;
  found.under_seccomp = ::prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 2;
  constexpr unsigned kVersionOnly = 1;  // LANDLOCK_CREATE_RULESET_VERSION
  const long landlock = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, kVersionOnly);
  found.landlock = landlock > 0 ? static_cast<int>(landlock) : 0;
}

// Of a root who is not one here, and of what sudo could give.
void look_at_capabilities(Surroundings& found) {
  const std::unique_ptr<std::remove_pointer_t<cap_t>, int (*)(void*)> own(::cap_get_proc(), ::cap_free);
  for (const cap_value_t one : kNeededCapabilities) {
    cap_flag_value_t has = CAP_CLEAR;
    if (::geteuid() == 0) {
      (void)::cap_get_flag(own.get(), one, CAP_EFFECTIVE, &has);
    } else if (::cap_get_bound(one) == 1) {
      has = CAP_SET;
    }
    if (has == CAP_SET) continue;
    const std::unique_ptr<char, int (*)(void*)> name(::cap_to_name(one), ::cap_free);
    found.missing_capabilities.emplace_back(name ? name.get() : "?");
  }
}

// `sudo -n -l -- LAUNCHER`: whether it would run, without running it.
bool sudo_permits(const std::string& sudo, const std::string& launcher) {
  auto child = HeldChild::make({.path = sudo, .words = {"sudo", "-n", "-l", "--", launcher}, .prepare = []() -> Status {
                                  const OwnedFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
                                  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
                                    if (::dup2(null.get(), fd) < 0) return errno_fault("dup2");
                                  }
                                  return Done{};
                                }});
  int status = -1;
  if (!child) return false;
  const bool runs = child->let_go() == 0;
  return ::waitpid(child->pid(), &status, 0) == child->pid() && runs && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

SudoAnswer ask_sudo(const std::string& launcher) {
  if (::geteuid() == 0) return SudoAnswer::not_needed;
  const std::string sudo = find_sudo();
  if (sudo.empty()) return SudoAnswer::not_there;
  if (::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1) return SudoAnswer::cannot_raise;
  if (sudo_permits(sudo, launcher)) return SudoAnswer::permits;
  const OwnedFd terminal(::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY));
  return terminal ? SudoAnswer::asks : SudoAnswer::cannot_ask;
}

void look_at_installation(Surroundings& found) {
  const auto launcher = find_part("oisp-launcher");
  if (!launcher) {
    found.missing_parts.emplace_back("oisp-launcher");
    found.folder = own_folder();
    return;
  }
  const std::filesystem::path path(launcher.value());
  found.folder = path.parent_path().string();
  for (const char* part : kRolePrograms) {
    struct stat status {};
    const bool there = ::stat((path.parent_path() / part).c_str(), &status) == 0 && S_ISREG(status.st_mode);
    const bool known = std::ranges::find(found.missing_parts, part) != found.missing_parts.end();
    if (!there && !known) found.missing_parts.emplace_back(part);
  }
}

void look_at_limits(Surroundings& found) {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) found.most_files = files.rlim_max;
  found.most_namespaces = std::numeric_limits<std::uint64_t>::max();  // where the kernel has no such limit
  std::ifstream("/proc/sys/user/max_net_namespaces") >> found.most_namespaces;
}

}  // namespace

Surroundings look_around() {
  Surroundings found;
  look_at_kernel(found);
  look_at_confinement(found);
  look_at_capabilities(found);
  look_at_installation(found);
  look_at_limits(found);
  found.sudo = ask_sudo(found.folder + "/oisp-launcher");
  return found;
}

}  // namespace oisp
