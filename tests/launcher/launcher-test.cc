// Launcher and supervisor as they run, with a stand-in for every role (test-role.cc). Needs root.
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "ipc-schema/order.h"
#include "ipc-schema/sink.h"
#include "launcher/role.h"
#include "tests/catch.h"
#include "tests/launcher/test-role.h"

using namespace oisp;

namespace {

constexpr int kWaitMs = 20'000;

bool may_run() {
  if (::geteuid() == 0) return true;
  WARN("needs root");
  return false;
}

// Launcher, supervisor and stand-ins in a folder that only root may enter.
class Installed {
 public:
  Installed() {
    char name[] = "/tmp/oisp-launcher-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    folder_ = name;
    built_ = std::filesystem::read_symlink("/proc/self/exe").parent_path();
    for (const char* program : {"oisp-launcher", "oisp-supervisor"}) {
      std::filesystem::copy_file(built_ / program, folder_ / program);
    }
    for (const char* program : kRolePrograms) {
      if (!std::filesystem::exists(folder_ / program)) put_stand_in(program);
    }
  }
  ~Installed() { std::filesystem::remove_all(folder_); }
  void put_stand_in(const char* program) const {
    std::filesystem::copy_file(built_ / "tests/launcher/launcher-test-role", folder_ / program,
                               std::filesystem::copy_options::overwrite_existing);
  }
  [[nodiscard]] std::string launcher() const { return folder_ / "oisp-launcher"; }
  [[nodiscard]] std::filesystem::path folder() const { return folder_; }

 private:
  std::filesystem::path folder_;
  std::filesystem::path built_;
};

// Of a role that is started with a session and tells its facts.
bool is_stand_in(const std::string& program) { return program != "oisp-elf-scanner" && program != "oisp-supervisor"; }

// A running launcher, and the command line's end of its connection.
class Running {
 public:
  // Without one capability, where there is one to be without.
  explicit Running(const Installed& installed, bool in_container = false, int without = -1) {
    auto pair = make_order_pair();
    REQUIRE(pair.ok());
    pid_ = ::fork();
    if (pid_ == 0) {
      if (in_container && (::unshare(CLONE_NEWPID) != 0)) ::_exit(99);
      const pid_t inner = in_container ? ::fork() : 0;
      if (inner == 0) {
        if (without >= 0 && ::prctl(PR_CAPBSET_DROP, without, 0, 0, 0) != 0) ::_exit(99);
        (void)::dup2(pair->b.get(), STDIN_FILENO);
        (void)::execl(installed.launcher().c_str(), "oisp-launcher", nullptr);
        ::_exit(99);
      }
      int status = 0;
      (void)::waitpid(inner, &status, 0);
      ::_exit(WEXITSTATUS(status));
    }
    line_ = std::move(pair->a);
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  ~Running() {
    if (pid_ > 0) (void)::kill(pid_, SIGKILL);
    if (pid_ > 0) (void)::waitpid(pid_, nullptr, 0);
  }

  void say(const Order& order, int fd = -1) { REQUIRE(send_order(line_.get(), order, fd).ok()); }
  // A session with a file and a view, and a helper that behaves as asked.
  void begin(int asked = 0, std::uint64_t value = 1) {
    const OwnedFd null(::open("/dev/null", O_WRONLY | O_CLOEXEC));
    say({.kind = OrderKind::watch, .detail = asked, .value = value});
    say({.kind = OrderKind::output, .detail = static_cast<int>(SinkKind::jsonl), .value = kSinkIsFile}, null.get());
    say({.kind = OrderKind::output, .detail = static_cast<int>(SinkKind::terminal)}, null.get());
    say({.kind = OrderKind::begin});
  }
  // Reads until an order of this kind comes (true) or the launcher is gone; remembers all texts.
  bool hears(OrderKind kind) {
    while (hears()) {
      if (last_.kind == kind) return true;
    }
    return false;
  }
  bool hears() {
    pollfd readable{.fd = line_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&readable, 1, kWaitMs) != 1) return false;
    auto received = receive_order(line_.get());
    if (!received || !received->has_value()) return false;
    last_ = (*received)->order;
    texts_.emplace_back(last_.text_view());
    return true;
  }
  bool hears_text(const std::string& text) {
    while (!heard(text)) {
      if (!hears()) return false;
    }
    return true;
  }
  // All roles but the scanner, which comes on demand, have begun.
  bool hears_all() {
    for (const char* program : kRolePrograms) {
      if (is_stand_in(program) && !hears_text(std::string("facts role=") + program)) return false;
    }
    return true;
  }
  [[nodiscard]] bool heard(const std::string& text) const {
    for (const std::string& one : texts_) {
      if (one.find(text) != std::string::npos) return true;
    }
    return false;
  }
  // What the last life of a role told of itself.
  [[nodiscard]] std::map<std::string, std::string> facts_of(const std::string& role) const {
    std::map<std::string, std::string> facts;
    for (const std::string& text : texts_) {
      if (!text.starts_with("facts role=" + role + " ")) continue;
      std::istringstream words(text);
      for (std::string word; words >> word;) facts[word.substr(0, word.find('='))] = word.substr(word.find('=') + 1);
    }
    return facts;
  }
  int exit_status() {
    int status = 0;
    (void)::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  [[nodiscard]] const Order& last() const { return last_; }
  [[nodiscard]] pid_t pid() const { return pid_; }
  void hang_up() { line_.reset(); }

 private:
  pid_t pid_ = -1;
  OwnedFd line_;
  Order last_;
  std::vector<std::string> texts_;
};

unsigned first_uid_of(pid_t launcher) { return kFirstUid + static_cast<unsigned>(launcher) * kRoleNumbers; }

// What the kernel tells of a process, by key; of one that is not there, nothing. It is everybody's to read, where
// the owner of the folder is root for who may not be traced.
std::map<std::string, std::string> status_of(pid_t pid) {
  std::map<std::string, std::string> found;
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    std::istringstream words(line);
    std::string key, value;
    words >> key >> value;
    found[key] = value;
  }
  return found;
}

// Processes of a launcher's roles, by their uid's number.
std::map<unsigned, pid_t> processes_of(pid_t launcher) {
  std::map<unsigned, pid_t> found;
  const unsigned first = first_uid_of(launcher);
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const pid_t pid = std::atoi(entry.path().filename().c_str());
    if (pid <= 0) continue;
    auto status = status_of(pid);
    const auto uid = static_cast<unsigned>(std::strtoul(status["Uid:"].c_str(), nullptr, 10));
    if (uid >= first && uid < first + kRoleNumbers && status["State:"] != "Z") found[uid - first] = pid;
  }
  return found;
}

std::string net_of(pid_t pid) {
  return std::filesystem::read_symlink("/proc/" + std::to_string(pid) + "/ns/net").string();
}

std::set<std::string> descriptors_of(pid_t pid) {
  std::set<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd")) {
    std::error_code gone;
    found.insert(std::filesystem::read_symlink(entry.path(), gone).string());
  }
  return found;
}

bool comes_true(const std::function<bool()>& what) {
  for (int i = 0; i < kWaitMs / 10; ++i) {
    if (what()) return true;
    ::usleep(10'000);
  }
  return false;
}

bool all_gone(pid_t launcher) {
  return comes_true([&] { return processes_of(launcher).empty(); });
}

// One that stands still, as the kernel's program leaves it.
pid_t make_stopped() {
  const pid_t stopped = ::fork();
  if (stopped == 0) {
    (void)::raise(SIGSTOP);
    ::_exit(7);
  }
  int status = 0;
  REQUIRE(::waitpid(stopped, &status, WUNTRACED) == stopped);
  REQUIRE(WIFSTOPPED(status));
  return stopped;
}

bool goes_on(pid_t stopped) {
  int status = 0;
  return ::waitpid(stopped, &status, 0) == stopped && WIFEXITED(status) && WEXITSTATUS(status) == 7;
}

std::string hex_of(std::initializer_list<int> capabilities) {
  std::uint64_t bits = 0;
  for (const int one : capabilities) bits |= std::uint64_t{1} << one;
  char text[32];
  (void)std::snprintf(text, sizeof text, ",%016llx", static_cast<unsigned long long>(bits));
  return text;
}

}  // namespace

TEST_CASE("each role finds its own rights and descriptors, and nothing else") {
  if (!may_run()) return;
  const Installed installed;
  Running launcher(installed);
  const pid_t pid = launcher.pid();
  launcher.begin(kAskForScanner);
  REQUIRE(launcher.hears(OrderKind::ready));
  REQUIRE(launcher.hears_all());
  const pid_t supervisor = processes_of(pid)[0];
  REQUIRE(supervisor > 0);
  auto supervisor_status = status_of(supervisor);
  const std::string supervisor_net = net_of(supervisor);
  launcher.say({.kind = OrderKind::finish});
  REQUIRE(launcher.hears(OrderKind::done));
  CHECK(launcher.last().detail == 0);
  CHECK(launcher.exit_status() == 0);
  CHECK(all_gone(pid));

  for (const char* set : {"CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"}) {
    CHECK("," + supervisor_status[set] == hex_of({}));
  }
  CHECK(supervisor_status["NoNewPrivs:"] == "1");
  CHECK(supervisor_status["Seccomp:"] == "2");
  const std::string own_net = std::filesystem::read_symlink("/proc/self/ns/net");
  std::set<std::string> nets{supervisor_net};
  std::set<std::string> uids;
  for (const RoleEntry& entry : kRoles) {
    const std::string program = program_of(entry.kind);
    if (entry.kind == RoleKind::probe_helper_perf || entry.kind == RoleKind::supervisor) continue;
    INFO(program);
    auto facts = launcher.facts_of(program);
    REQUIRE(!facts.empty());
    const bool helper = entry.kind == RoleKind::probe_helper;
    const bool scanner = entry.kind == RoleKind::scanner;
    CHECK(facts["fds"] == (helper ? "0,1,2,3,4," : scanner ? "0,1,2," : "0,1,2,3,"));
    if (!scanner) CHECK(facts["null"] == "/dev/null");
    CHECK(facts["cwd"] == "/");
    CHECK(facts["leader"] == "1");
    CHECK(facts["death"] == std::to_string(SIGKILL));
    CHECK(facts["environment"] == "LANG=C,");
    CHECK(facts["NoNewPrivs:"] == ",1");
    CHECK((facts["Groups:"].empty() || facts["Groups:"] == ","));
    const auto role_uid = static_cast<unsigned>(std::strtoul(facts["Uid:"].c_str() + 1, nullptr, 10));
    CHECK(role_uid > first_uid_of(pid));
    CHECK(role_uid < first_uid_of(pid) + kRoleNumbers);
    CHECK(facts["Uid:"] == facts["Gid:"]);
    CHECK(facts["net"] != own_net);
    nets.insert(facts["net"]);
    uids.insert(facts["Uid:"]);
    const std::string wanted = helper ? hex_of({CAP_BPF, CAP_PERFMON})
                               : entry.kind == RoleKind::file_opener
                                   ? hex_of({CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_CHECKPOINT_RESTORE})
                                   : hex_of({});
    for (const char* set : {"CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"}) CHECK(facts[set] == wanted);
  }
  CHECK(nets.size() == 7);  // the supervisor's, too
  CHECK(uids.size() == 6);
  CHECK(launcher.facts_of("oisp-probe-helper")["connected"] == "collector,opener,");
  CHECK(launcher.facts_of("oisp-collector")["connected"] == "sink,sink,helper,");
  CHECK(launcher.facts_of("oisp-file-opener")["connected"] == "helper,");
  CHECK(launcher.facts_of("oisp-exporter-jsonl")["connected"] == "collector,");
}

TEST_CASE("a helper that dies comes back to what it kept") {
  if (!may_run()) return;
  const Installed installed;
  Running launcher(installed);
  launcher.begin(kCrashOnce);
  REQUIRE(launcher.hears_text("found part 0 events"));
  CHECK(launcher.hears_text("found part 2 counters"));
  CHECK(launcher.heard("oisp-probe-helper was killed"));
  CHECK(launcher.hears_text("oisp-collector reconnected"));
  CHECK(launcher.hears_text("oisp-file-opener reconnected"));
  CHECK_FALSE(launcher.heard("found part 4"));
  // Links are held for nobody but the kernel; what was forgotten goes, one after the other.
  CHECK(launcher.facts_of("oisp-probe-helper")["fds"] == "0,1,2,3,4,5,7,");
  const auto holds = [&](const std::string& name) {
    return descriptors_of(launcher.pid()).contains("/memfd:" + name + " (deleted)");
  };
  CHECK(comes_true([&] { return !holds("link:3") && !holds("link:4"); }));
  CHECK(holds("link:1"));
  CHECK(holds("link:2"));
}

TEST_CASE("killed roles come back, and their peers hear of it") {
  if (!may_run()) return;
  const Installed installed;
  Running launcher(installed);
  launcher.begin();
  REQUIRE(launcher.hears(OrderKind::ready));
  REQUIRE(launcher.hears_all());
  for (const char* role : {"oisp-collector", "oisp-exporter-jsonl"}) {
    auto facts = launcher.facts_of(role);
    const auto uid = static_cast<unsigned>(std::strtoul(facts["Uid:"].c_str() + 1, nullptr, 10));
    const pid_t pid = processes_of(launcher.pid())[uid - first_uid_of(launcher.pid())];
    REQUIRE(pid > 0);
    (void)::kill(pid, SIGKILL);
    REQUIRE(launcher.hears_text(std::string(role) + " restarted 1"));
  }
  CHECK(launcher.hears_text("oisp-collector reconnected"));
  launcher.say({.kind = OrderKind::finish});
  CHECK(launcher.hears(OrderKind::done));
  CHECK(launcher.exit_status() == 0);
}

TEST_CASE("five deaths in a minute end the session with a reason") {
  if (!may_run()) return;
  const Installed installed;
  Running launcher(installed);
  const pid_t pid = launcher.pid();
  launcher.begin(kCrash);
  REQUIRE(launcher.hears(OrderKind::failed));
  CHECK(launcher.last().detail == 1);
  CHECK(launcher.heard("for the fifth time within a minute"));
  CHECK(launcher.hears(OrderKind::done));
  CHECK(launcher.exit_status() == 1);
  CHECK(all_gone(pid));
}

TEST_CASE("the helper gets CAP_SYS_ADMIN only where it says that it needs it") {
  if (!may_run()) return;
  const Installed installed;
  Running launcher(installed);
  launcher.begin(kAskForMore);
  REQUIRE(launcher.hears(OrderKind::ready));
  CHECK(launcher.facts_of("oisp-probe-helper")["CapPrm:"] == hex_of({CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN}));
  CHECK_FALSE(launcher.heard("is started again"));
}

TEST_CASE("a role that says what it may not is ended") {
  if (!may_run()) return;
  const Installed installed;
  for (const int asked : {kOverreach, kOverreachStore, kKeepAnotherForm}) {
    INFO(asked);
    Running launcher(installed);
    launcher.begin(asked);
    CHECK(launcher.hears_text("oisp-probe-helper was killed"));
  }
}

TEST_CASE("a supervisor that talks nonsense ends the session") {
  if (!may_run()) return;
  const Installed installed;
  installed.put_stand_in("oisp-supervisor");
  for (int asked = kStartItself; asked <= kLastNonsense; ++asked) {
    INFO(asked);
    Running launcher(installed);
    const pid_t pid = launcher.pid();
    launcher.say({.kind = OrderKind::watch, .detail = asked});
    CHECK_FALSE(launcher.hears(OrderKind::done));
    CHECK(launcher.exit_status() == 1);
    CHECK(all_gone(pid));
  }
}

TEST_CASE("a killed supervisor leaves nothing behind, and nobody stopped") {
  if (!may_run()) return;
  const pid_t held = make_stopped();
  const Installed installed;
  Running launcher(installed);
  const pid_t pid = launcher.pid();
  launcher.begin(kHold, static_cast<std::uint64_t>(held));
  REQUIRE(launcher.hears(OrderKind::held));
  (void)::kill(processes_of(pid)[0], SIGKILL);
  CHECK(goes_on(held));
  CHECK_FALSE(launcher.hears(OrderKind::done));
  CHECK(launcher.exit_status() == 1);
  CHECK(all_gone(pid));
}

TEST_CASE("a hung supervisor does not outlive the command line") {
  if (!may_run()) return;
  const Installed installed;
  Running launcher(installed);
  const pid_t pid = launcher.pid();
  launcher.begin();
  REQUIRE(launcher.hears_all());
  (void)::kill(processes_of(pid)[0], SIGSTOP);
  launcher.hang_up();
  CHECK(launcher.exit_status() == 1);
  CHECK(all_gone(pid));
}

TEST_CASE("a command line that does not read ends nothing") {
  if (!may_run()) return;
  const Installed installed;
  SECTION("it reads at last") {
    const pid_t held = make_stopped();
    Running launcher(installed);
    launcher.begin(kHoldMany, static_cast<std::uint64_t>(held));
    CHECK(goes_on(held));  // so all were told of by now
    CHECK(launcher.hears(OrderKind::ready));
    CHECK(launcher.heard("one of many"));
    launcher.say({.kind = OrderKind::finish});
    CHECK(launcher.hears(OrderKind::done));
    CHECK(launcher.exit_status() == 0);
  }
  SECTION("not before all is over") {
    const pid_t held = make_stopped();
    Running launcher(installed);
    const pid_t pid = launcher.pid();
    launcher.begin(kHoldMany, static_cast<std::uint64_t>(held));
    CHECK(goes_on(held));
    launcher.say({.kind = OrderKind::finish});
    CHECK(all_gone(pid));
    CHECK(launcher.hears(OrderKind::done));
    CHECK(launcher.exit_status() == 0);
  }
}

TEST_CASE("nothing is left when the command line goes, or the launcher is killed") {
  if (!may_run()) return;
  const Installed installed;
  for (const bool kill_launcher : {false, true}) {
    Running launcher(installed);
    const pid_t pid = launcher.pid();
    launcher.begin();
    REQUIRE(launcher.hears_all());
    CHECK(processes_of(pid).size() == 6);
    if (kill_launcher) {
      (void)::kill(pid, SIGKILL);
    } else {
      launcher.hang_up();
    }
    CHECK(all_gone(pid));
    if (kill_launcher) CHECK(launcher.exit_status() == 128 + SIGKILL);
  }
}

TEST_CASE("SIGTERM ends a session in order") {
  if (!may_run()) return;
  const Installed installed;
  Running launcher(installed);
  launcher.begin();
  REQUIRE(launcher.hears(OrderKind::ready));
  (void)::kill(launcher.pid(), SIGTERM);
  CHECK(launcher.hears(OrderKind::done));
  CHECK(launcher.exit_status() == 0);
}

TEST_CASE("a held process runs on, though nobody releases it") {
  if (!may_run()) return;
  for (const int asked : {kHold, kHoldAndCrash}) {
    const pid_t held = make_stopped();
    const Installed installed;
    Running launcher(installed);
    launcher.begin(asked, static_cast<std::uint64_t>(held));
    if (asked == kHold) {
      REQUIRE(launcher.hears(OrderKind::held));
      CHECK(launcher.last().value == static_cast<std::uint64_t>(held));
      CHECK(launcher.hears(OrderKind::release));
    }
    CHECK(goes_on(held));
  }
}

TEST_CASE("no session without a command line, or in another pid namespace") {
  if (!may_run()) return;
  const Installed installed;
  const pid_t pid = ::fork();
  if (pid == 0) {
    const int null = ::open("/dev/null", O_RDWR);
    (void)::dup2(null, STDIN_FILENO);
    (void)::dup2(null, STDERR_FILENO);
    (void)::execl(installed.launcher().c_str(), "oisp-launcher", nullptr);
    ::_exit(99);
  }
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  CHECK(WEXITSTATUS(status) == 3);

  Running inside(installed, true);
  CHECK(inside.hears(OrderKind::failed));
  CHECK(inside.last().detail == 4);
  CHECK(inside.exit_status() == 4);
}

TEST_CASE("no session where root has not got all capabilities") {
  if (!may_run()) return;
  const Installed installed;
  Running launcher(installed, false, CAP_CHECKPOINT_RESTORE);
  CHECK(launcher.hears(OrderKind::failed));
  CHECK(launcher.last().detail == 3);
  CHECK(launcher.last().value == std::uint64_t{1} << CAP_CHECKPOINT_RESTORE);
  CHECK(launcher.exit_status() == 3);
}

TEST_CASE("programs that only their owner may read and execute are started") {
  if (!may_run()) return;
  const Installed installed;
  for (const char* program : kRolePrograms) {
    REQUIRE(::chmod((installed.folder() / program).c_str(), 0700) == 0);
  }
  Running launcher(installed);
  launcher.begin();
  REQUIRE(launcher.hears(OrderKind::ready));
  REQUIRE(launcher.hears_all());
  CHECK(launcher.facts_of("oisp-collector")["CapPrm:"] == hex_of({}));
  CHECK(launcher.facts_of("oisp-probe-helper")["CapPrm:"] == hex_of({CAP_BPF, CAP_PERFMON}));
}

TEST_CASE("a missing part of the installation is named") {
  if (!may_run()) return;
  const Installed installed;
  std::filesystem::remove(installed.folder() / "oisp-collector");
  Running launcher(installed);
  CHECK(launcher.hears(OrderKind::failed));
  CHECK(launcher.heard("oisp-collector"));
  CHECK(launcher.exit_status() == 1);
}
