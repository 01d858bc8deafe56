// Stands for every role in the launcher's tests: tells, in a notice, what it found at its start, and
// does what `watch` orders with a detail from kCrash on ask of the helper.
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
#include <ctime>
#include <fstream>
#include <string>
#include <vector>

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

void keep(const char* name, const OwnedFd& fd) {
  Order order{.kind = OrderKind::keep};
  order.set_name(name);
  (void)send_order(kStoreFd, order, fd.get());
}

void keep(const char* name) {
  const OwnedFd file(::memfd_create(name, MFD_CLOEXEC));
  (void)!::write(file.get(), name, std::string(name).size());
  keep(name, file);
}

// The kernel's list, with one process on it that is stopped since now.
void keep_held(std::uint32_t tgid) {
  bpf_attr make{};
  make.map_type = BPF_MAP_TYPE_HASH;
  make.key_size = sizeof tgid;
  make.value_size = sizeof(std::uint64_t);
  make.max_entries = 1024;
  const OwnedFd map(static_cast<int>(::syscall(SYS_bpf, BPF_MAP_CREATE, &make, sizeof make)));
  timespec now{};
  (void)::clock_gettime(CLOCK_BOOTTIME, &now);
  const std::uint64_t since_ns =
      static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
  bpf_attr put{};
  put.map_fd = static_cast<__u32>(map.get());
  put.key = reinterpret_cast<std::uintptr_t>(&tgid);
  put.value = reinterpret_cast<std::uintptr_t>(&since_ns);
  if (::syscall(SYS_bpf, BPF_MAP_UPDATE_ELEM, &put, sizeof put) != 0) tell(kOrdersFd, "no list of the held");
  keep("map:held", map);
}

// A scanner: its only descriptor is the helper.
int scan() {
  (void)receive_order(STDIN_FILENO);
  tell(STDIN_FILENO, facts("oisp-elf-scanner"));
  return 0;
}

class Role {
 public:
  explicit Role(std::string name) : name_(std::move(name)), facts_(facts(name_)) {}

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
      case OrderKind::adopt: {
        char text[64];
        const ssize_t size = ::pread(got.fd.get(), text, sizeof text, 0);
        tell(kOrdersFd,
             "adopted " + what + " " + std::string(text, static_cast<std::size_t>(std::max<ssize_t>(size, 0))));
        ++adopted_;
        break;
      }
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
      case OrderKind::scanner: {
        (void)send_order(got.fd.get(), {.kind = OrderKind::file});
        auto answer = receive_order(got.fd.get());
        if (answer && answer->has_value()) tell(kOrdersFd, std::string((*answer)->order.text_view()));
        (void)send_order(kOrdersFd, {.kind = OrderKind::ready});
        break;
      }
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
      order.set_name("needs_sys_admin");
      (void)send_order(kOrdersFd, order);
      std::exit(0);
    }
    keep("map:events");
    keep("link:1");
    keep("link:2");
    Order forget{.kind = OrderKind::forget};
    forget.set_name("link:2");
    (void)send_order(kStoreFd, forget);
    if (asked_ == kAskForScanner) {
      (void)send_order(kStoreFd, {.kind = OrderKind::want_scanner});
      return;
    }
    if (asked_ == kHold || asked_ == kHoldAndCrash) {
      keep_held(static_cast<std::uint32_t>(value_));
      (void)send_order(kStoreFd, {.kind = OrderKind::held});
    }
    if (asked_ == kOverreach) (void)send_order(kOrdersFd, {.kind = OrderKind::done});
    (void)send_order(kOrdersFd, {.kind = OrderKind::ready});
    if (asked_ == kCrash || asked_ == kHoldAndCrash || (asked_ == kCrashOnce && adopted_ == 0)) std::abort();
  }

  std::string name_;
  std::string facts_;  // before any order came
  std::string connected_;
  OwnedFd collector_;
  std::vector<OwnedFd> connections_;
  int asked_ = 0;
  std::uint64_t value_ = 0;
  int adopted_ = 0;
  bool begun_ = false;
};

}  // namespace

int main(int /*argc*/, char** argv) {
  const std::string name = argv[0];
  return name == "oisp-elf-scanner" ? scan() : Role(name).run();
}
