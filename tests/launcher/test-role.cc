// Stands for every role in the launcher's tests: tells, in a notice, what it found at its start, and
// does what `watch` orders with a detail of test-role.h. Also for a supervisor that talks nonsense.
#include <dirent.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/mapping.h"
#include "bpf/shared-maps.h"
#include "ipc-schema/order.h"
#include "tests/launcher/test-role.h"

using namespace oisp;

namespace {

std::string link_of(const std::string& path) {
  char text[256];
  const ssize_t length = ::readlink(path.c_str(), text, sizeof text);
  return length < 0 ? "none" : std::string(text, static_cast<std::size_t>(length));
}

std::string open_descriptors() {
  std::vector<int> numbers;
  DIR* folder = ::opendir("/proc/self/fd");
  while (const dirent* entry = ::readdir(folder)) {
    const int number = std::atoi(entry->d_name);
    if (entry->d_name[0] != '.' && number != ::dirfd(folder)) numbers.push_back(number);
  }
  (void)::closedir(folder);
  std::sort(numbers.begin(), numbers.end());
  std::string text;
  for (const int number : numbers) text += std::to_string(number) + ",";
  return text;
}

// "key=value " for each fact.
std::string facts(const std::string& role) {
  std::string text = "facts role=" + role + " fds=" + open_descriptors();
  text += " null=" + link_of("/proc/self/fd/0") + " net=" + link_of("/proc/self/ns/net");
  text += " ipc=" + link_of("/proc/self/ns/ipc") + " cwd=" + link_of("/proc/self/cwd");
  text += " leader=" + std::to_string(static_cast<int>(::getsid(0) == ::getpid()));
  int signal = 0;
  (void)::prctl(PR_GET_PDEATHSIG, &signal);
  text += " death=" + std::to_string(signal) + " environment=";
  for (char** variable = environ; *variable != nullptr; ++variable) text += std::string(*variable) + ",";
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    for (const char* key : {"Uid:", "Gid:", "Groups:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:", "NoNewPrivs:"}) {
      if (!line.starts_with(key)) continue;
      std::replace(line.begin(), line.end(), '\t', ',');
      line.erase(std::remove(line.begin(), line.end(), ' '), line.end());
      text += " " + line.insert(line.find(':') + 1, "=");
    }
  }
  return text;
}

void tell(int socket, const std::string& text) {
  Order order{.kind = OrderKind::notice};
  order.set_text(text);
  (void)send_order(socket, order);
}

void keep(std::uint64_t key, const OwnedFd& fd) {
  (void)send_order(kStoreFd, {.kind = OrderKind::keep, .value = key}, fd.get());
}

void keep(std::uint64_t key, const char* name) {
  const OwnedFd file(::memfd_create(name, MFD_CLOEXEC));
  (void)!::write(file.get(), name, std::string(name).size());
  keep(key, file);
}

// The kernel's list, with processes on it that are stopped since now.
void keep_held(const std::vector<std::uint32_t>& stopped) {
  bpf_attr make{};
  make.map_type = BPF_MAP_TYPE_ARRAY;
  make.map_flags = BPF_F_MMAPABLE;
  make.key_size = sizeof(std::uint32_t);
  make.value_size = sizeof(oisp_control);
  make.max_entries = 1;
  const OwnedFd map(static_cast<int>(::syscall(SYS_bpf, BPF_MAP_CREATE, &make, sizeof make)));
  auto control = map_shared<oisp_control>(map.get(), sizeof(oisp_control), PROT_READ | PROT_WRITE);
  if (!control) return tell(kOrdersFd, "no list of the held");
  const auto since = static_cast<std::uint32_t>(read_clock_ns(CLOCK_BOOTTIME) / OISP_HELD_UNIT_NS);
  std::size_t slot = 0;
  for (const std::uint32_t tgid : stopped) {
    if (slot < OISP_HELD_SLOTS) (*control)->held[slot++] = std::uint64_t{tgid} << 32 | since;
  }
  keep(OISP_PART_CONTROL, map);
}

// What an earlier helper kept. Before any order came: a descriptor that comes takes a place that is free.
std::vector<std::string> find_parts() {
  std::vector<std::string> found;
  for (std::uint64_t key = 0; key < kMostParts; ++key) {
    char text[64];
    const ssize_t size = ::pread(kFirstPartFd + static_cast<int>(key), text, sizeof text, 0);
    if (size < 0 && errno == EBADF) continue;
    const std::string_view content(text, static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    found.push_back("found part " + std::to_string(key) + " " + std::string(content));
  }
  return found;
}

// A scanner: its only descriptor is the helper.
int scan() {
  (void)receive_order(STDIN_FILENO);
  tell(STDIN_FILENO, facts("oisp-elf-scanner"));
  return 0;
}

void request_start(std::int32_t kind, std::uint64_t number, bool with_orders = true) {
  static std::vector<OwnedFd> lines;  // else a role ends at once
  auto pair = make_order_pair();
  if (!pair) return;
  const Order order{.kind = OrderKind::start, .detail = kind, .value = number};
  (void)send_order(kOrdersFd, order, with_orders ? pair->b.get() : -1);
  lines.push_back(std::move(pair->a));
}
void request_start(RoleKind kind, std::uint64_t number) { request_start(static_cast<std::int32_t>(kind), number); }

void talk_nonsense(int asked) {
  switch (asked) {
    case kStartItself:
      return request_start(RoleKind::collector, 0);
    case kStartTwice:
      return request_start(RoleKind::collector, 1);
    case kStartTwoHelpers:
      request_start(RoleKind::probe_helper, 2);
      return request_start(RoleKind::probe_helper_perf, 3);
    case kStartScanner:
      return request_start(RoleKind::scanner, 2);
    case kStartBeyond:
      return request_start(RoleKind::collector, kFirstScannerNumber);
    case kStartUnknown:
      return request_start(-1, 2);
    case kStartWithoutOrders:
      return request_start(static_cast<std::int32_t>(RoleKind::collector), 2, false);
    case kKillBeyond:
      return (void)send_order(kOrdersFd, {.kind = OrderKind::kill, .value = 1ULL << 40});
    case kKeep:
      return (void)send_order(kOrdersFd, {.kind = OrderKind::keep}, STDERR_FILENO);
    case kSayGarbage:
      return (void)::send(kOrdersFd, "garbage", 7, MSG_NOSIGNAL);
    default:
      (void)::close(kOrdersFd);
  }
}

// A supervisor that does not end by itself.
int supervise() {
  (void)::fcntl(STDIN_FILENO, F_SETFL, O_RDWR);
  auto asked = receive_order(STDIN_FILENO);
  if (!asked || !asked->has_value()) return 0;
  request_start(RoleKind::collector, 1);
  talk_nonsense((*asked)->order.detail);
  for (;;) (void)::pause();
}

class Role {
 public:
  explicit Role(std::string name) : name_(std::move(name)), facts_(facts(name_)), parts_(find_parts()) {}

  int run() {
    for (;;) {
      pollfd set[] = {{.fd = kOrdersFd, .events = POLLIN, .revents = 0},
                      {.fd = collector_.get(), .events = POLLIN, .revents = 0}};
      (void)::poll(set, 2, -1);
      if (set[1].revents != 0) {
        // An exporter ends on its collector's word, and waits for another where it died without.
        char word = 0;
        if (::read(collector_.get(), &word, 1) == 1) return 0;
        collector_.reset();
      }
      if (set[0].revents == 0) continue;
      auto received = receive_order(kOrdersFd);
      if (!received || !received->has_value()) return 0;
      serve(**received);
    }
  }

 private:
  void serve(ReceivedOrder& got) {
    const std::string what(got.order.name_view());
    switch (got.order.kind) {
      case OrderKind::watch:
        asked_ = got.order.detail;
        value_ = got.order.value;
        break;
      case OrderKind::adopt:
        tell(kOrdersFd, name_ + " has memory of " + link_of("/proc/self/fd/" + std::to_string(got.fd.get())));
        break;
      case OrderKind::config:
        if (what == "restarted") tell(kOrdersFd, name_ + " restarted " + std::string(got.order.text_view()));
        break;
      case OrderKind::collector:
        if (name_.starts_with("oisp-exporter")) collector_ = std::move(got.fd);
        connected_ += "collector,";
        break;
      case OrderKind::helper:
      case OrderKind::opener:
      case OrderKind::sink:
        if (begun_) tell(kOrdersFd, name_ + " reconnected");
        connections_.push_back(std::move(got.fd));
        connected_ += got.order.kind == OrderKind::helper   ? "helper,"
                      : got.order.kind == OrderKind::opener ? "opener,"
                                                            : "sink,";
        break;
      case OrderKind::begin:
        begun_ = true;
        tell(kOrdersFd, facts_ + " connected=" + connected_);
        begin();
        break;
      case OrderKind::finish:
        for (const OwnedFd& connection : connections_) (void)::send(connection.get(), "f", 1, MSG_NOSIGNAL);
        (void)send_order(kOrdersFd, {.kind = OrderKind::done});
        std::exit(0);
      default:
        break;
    }
  }

  void begin() {
    if (name_ == "oisp-collector") (void)send_order(kOrdersFd, {.kind = OrderKind::ready});
    if (name_ != "oisp-probe-helper") return;
    if (asked_ == kAskForMore && facts_.find("CapPrm:=,000000c000200000") == std::string::npos) {
      Order order{.kind = OrderKind::failed};
      order.set_text("needs_sys_admin");
      (void)send_order(kOrdersFd, order);
      std::exit(0);
    }
    for (const std::string& part : parts_) tell(kOrdersFd, part);
    keep(0, "events");
    keep(2, "counters");
    keep(4, "watched");
    (void)send_order(kStoreFd, {.kind = OrderKind::forget, .value = 4});
    for (const char* link : {"link:1", "link:2"}) keep(kMostParts, link);
    for (const char* link : {"link:3", "link:4"}) keep(kMostParts + 1, link);
    (void)send_order(kStoreFd, {.kind = OrderKind::forget, .value = kMostParts + 1});
    if (asked_ == kAskForScanner) ask_for_scanner();
    if (asked_ == kHold || asked_ == kHoldAndCrash) hold({static_cast<std::uint32_t>(value_)});
    if (asked_ == kHoldMany) hold_many();
    if (asked_ == kOverreach) (void)send_order(kOrdersFd, {.kind = OrderKind::done});
    if (asked_ == kOverreachStore) (void)send_order(kStoreFd, {.kind = OrderKind::kill, .value = 1});
    if (asked_ == kKeepAnotherForm) keep(OISP_PART_CONTROL, "no map");
    // Being killed is all that ends these.
    if (asked_ == kOverreach || asked_ == kOverreachStore || asked_ == kKeepAnotherForm) (void)::pause();
    (void)send_order(kOrdersFd, {.kind = OrderKind::ready});
    if (asked_ == kCrash || asked_ == kHoldAndCrash || (asked_ == kCrashOnce && parts_.empty())) std::abort();
  }

  static void ask_for_scanner() {
    auto pair = make_order_pair();
    if (!pair) return;
    (void)send_order(kStoreFd, {.kind = OrderKind::scan}, pair->b.get());
    pair->b.reset();
    (void)send_order(pair->a.get(), {.kind = OrderKind::file});
    auto answer = receive_order(pair->a.get());
    if (answer && answer->has_value()) tell(kOrdersFd, std::string((*answer)->order.text_view()));
  }

  static void hold(const std::vector<std::uint32_t>& stopped) {
    keep_held(stopped);
    (void)send_order(kStoreFd, {.kind = OrderKind::held});
  }

  void hold_many() const {
    for (int i = 0; i < 300; ++i) tell(kOrdersFd, "one of many");
    std::vector<std::uint32_t> stopped{static_cast<std::uint32_t>(value_)};
    for (std::uint32_t i = 1; i < OISP_HELD_SLOTS; ++i) stopped.push_back(0x40000000 + i);  // beyond every pid
    hold(stopped);
  }

  std::string name_;
  std::string facts_;  // before any order came
  std::vector<std::string> parts_;
  std::string connected_;
  OwnedFd collector_;
  std::vector<OwnedFd> connections_;
  int asked_ = 0;
  std::uint64_t value_ = 0;
  bool begun_ = false;
};

}  // namespace

int main(int /*argc*/, char** argv) {
  const std::string name = argv[0];
  if (name == "oisp-supervisor") return supervise();
  return name == "oisp-elf-scanner" ? scan() : Role(name).run();
}
