#include "tests/kernel/rig.h"
#include "ipc-schema/stream-pair.h"

#include <capnp/serialize.h>
#include <fcntl.h>
#include <grp.h>
#include <link.h>
#include <poll.h>
#include <probe.capnp.h>
#include <signal.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <thread>

#include "base/text-array.h"
#include "probe-helper/open-answer.h"
#include "tests/catch.h"
#include "tests/kernel/fake-tls.h"

namespace oisp::test {
namespace {

constexpr uid_t kHelperUid = 0x6fff0001;
constexpr std::uint8_t kFirst = 7, kSecond = 6, kThird = 2, kFourth = 1, kFifth = 8;  // rdi, rsi, rdx, rcx, r8

struct Search {
  std::uintptr_t address;
  std::uint64_t offset;
};

std::uint64_t file_offset(const void* function) {
  Search search{.address = reinterpret_cast<std::uintptr_t>(function), .offset = 0};
  ::dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* data) {
        auto* wanted = static_cast<Search*>(data);
        for (int i = 0; i < info->dlpi_phnum; ++i) {
          const ElfW(Phdr)& segment = info->dlpi_phdr[i];
          const std::uintptr_t begin = info->dlpi_addr + segment.p_vaddr;
          if (segment.p_type != PT_LOAD || wanted->address < begin || wanted->address - begin >= segment.p_filesz)
            continue;
          wanted->offset = wanted->address - begin + segment.p_offset;
        }
        return 0;
      },
      &search);
  return search.offset;
}

oisp_argument argument(std::uint8_t kind, std::uint8_t reg) {
  return {.kind = kind, .reg = reg, .then = 0, .offset = 0};
}

// The descriptor's own uid, capabilities and nothing else, as the launcher gives them.
void become_helper() {
  const cap_value_t all[] = {CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN};
  const int count = std::getenv("OISP_TEST_PERF") != nullptr ? 3 : 2;
  const cap_t caps = ::cap_init();
  (void)::cap_set_flag(caps, CAP_PERMITTED, count, all, CAP_SET);
  (void)::cap_set_flag(caps, CAP_EFFECTIVE, count, all, CAP_SET);
  (void)::cap_set_flag(caps, CAP_INHERITABLE, count, all, CAP_SET);
  if (::prctl(PR_SET_KEEPCAPS, 1) != 0 || ::setgroups(0, nullptr) != 0 ||
      ::setresgid(kHelperUid, kHelperUid, kHelperUid) != 0 || ::setresuid(kHelperUid, kHelperUid, kHelperUid) != 0 ||
      ::cap_set_proc(caps) != 0 || ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    ::_exit(120);
  }
  for (int i = 0; i < count; ++i) (void)::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, all[i], 0, 0);
}

template <typename T>
T read(capnp::Data::Reader data) {
  T what{};
  REQUIRE(data.size() == sizeof what);
  std::memcpy(&what, data.begin(), sizeof what);
  return what;
}

std::vector<std::byte> request_frame(const std::function<void(schema::ToHelper::Builder)>& fill) {
  capnp::MallocMessageBuilder message;
  fill(message.initRoot<schema::ToHelper>());
  const auto words = capnp::messageToFlatArray(message);
  std::vector<std::byte> frame(words.asBytes().size());
  std::memcpy(frame.data(), words.asBytes().begin(), frame.size());
  return frame;
}

}  // namespace

oisp_scan_answer fake_library_sites() {
  oisp_scan_answer answer{};
  answer.outcome = OISP_SCAN_FOUND;
  std::strcpy(answer.family, "fake 1.0");
  const auto add = [&answer](const void* function, std::uint32_t role, std::uint32_t flags) -> oisp_site& {
    oisp_site& site = answer.sites[answer.site_count++];
    site.offset = file_offset(function);
    site.role = role;
    site.flags = flags;
    site.session = argument(OISP_ARG_REGISTER, kFirst);
    site.bytes_length = OISP_SITE_BYTES;
    std::memcpy(site.bytes, function, OISP_SITE_BYTES);
    return site;
  };
  const auto add_data = [&add](const void* function, std::uint32_t role, std::uint8_t count_kind) {
    oisp_site& site = add(function, role, OISP_SITE_HAS_RETURN);
    site.buffer = argument(OISP_ARG_REGISTER, kSecond);
    site.length = argument(OISP_ARG_REGISTER, kThird);
    site.count = argument(count_kind, count_kind == OISP_ARG_RETURN ? 0 : kFourth);
  };
  add_data(reinterpret_cast<const void*>(&fake_read), OISP_ROLE_READ, OISP_ARG_RETURN);
  add_data(reinterpret_cast<const void*>(&fake_write), OISP_ROLE_WRITE, OISP_ARG_RETURN);
  add_data(reinterpret_cast<const void*>(&fake_write_ex), OISP_ROLE_WRITE, OISP_ARG_POINTER_REGISTER);
  oisp_site& take = add(reinterpret_cast<const void*>(&fake_take), OISP_ROLE_READ, 0);
  take.buffer = {.kind = OISP_ARG_MEMORY,
                 .reg = kFirst,
                 .then = offsetof(fake_shown, data),
                 .offset = offsetof(fake_session, shown)};
  take.length = argument(OISP_ARG_REGISTER, kSecond);
  (void)add(reinterpret_cast<const void*>(&fake_handshake), OISP_ROLE_HANDSHAKE, OISP_SITE_HAS_RETURN);
  oisp_site& name = add(reinterpret_cast<const void*>(&fake_control), OISP_ROLE_SET_NAME, OISP_SITE_HAS_GUARD);
  name.buffer = argument(OISP_ARG_REGISTER, kFourth);
  name.guard = argument(OISP_ARG_REGISTER, kSecond);
  name.guard_value = 55;
  oisp_site& descriptor = add(reinterpret_cast<const void*>(&fake_set_fd), OISP_ROLE_SET_FD, 0);
  descriptor.length = argument(OISP_ARG_REGISTER, kSecond);
  (void)add(reinterpret_cast<const void*>(&fake_free), OISP_ROLE_FREE, 0);
  const auto with_layer = [](oisp_site& site, std::uint8_t slice, std::uint8_t type) {
    site.layer = {.boxes = offsetof(fake_layer, boxes),
                  .sequences = offsetof(fake_layer, sequences),
                  .slice = slice,
                  .type = type};
  };
  oisp_site& seal = add(reinterpret_cast<const void*>(&fake_seal), OISP_ROLE_SEAL, 0);
  seal.buffer = argument(OISP_ARG_REGISTER, kSecond);
  seal.count = argument(OISP_ARG_REGISTER, kThird);
  with_layer(seal, offsetof(fake_message, bytes), offsetof(fake_message, type));
  oisp_site& open = add(reinterpret_cast<const void*>(&fake_open), OISP_ROLE_OPEN, 0);
  open.buffer = argument(OISP_ARG_REGISTER, kSecond);
  open.length = argument(OISP_ARG_REGISTER, kThird);
  open.guard = argument(OISP_ARG_REGISTER, kFourth);
  open.count = argument(OISP_ARG_REGISTER, kFifth);
  with_layer(open, 0, 0);
  oisp_site& opened = add(reinterpret_cast<const void*>(&fake_opened), OISP_ROLE_OPENED, 0);
  opened.session = {};
  with_layer(opened, 0, offsetof(fake_result, type) - offsetof(fake_result, plaintext) - offsetof(fake_slice, length));
  // What is told at the entry, once more: as where overlay mounts show a file under two numbers.
  for (std::uint32_t i = 0, count = answer.site_count; i < count; ++i) {
    if ((answer.sites[i].flags & OISP_SITE_HAS_RETURN) == 0) answer.sites[answer.site_count++] = answer.sites[i];
  }
  return answer;
}

std::string built_file(const std::string& name) {
  return std::filesystem::canonical("/proc/self/exe").parent_path() / name;
}

Target::Target(const std::vector<std::string>& scenario) {
  const std::string program = built_file("test-kernel-target");
  std::vector<char*> arguments{const_cast<char*>(program.c_str())};
  for (const std::string& one : scenario) arguments.push_back(const_cast<char*>(one.c_str()));
  arguments.push_back(nullptr);
  int pipe[2];
  REQUIRE(::pipe2(pipe, O_CLOEXEC) == 0);
  const OwnedFd read_end(pipe[0]);
  input_ = OwnedFd(pipe[1]);
  pid_ = ::fork();
  REQUIRE(pid_ >= 0);
  if (pid_ == 0) {
    (void)::dup2(read_end.get(), 0);
    (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::execv(program.c_str(), arguments.data());
    ::_exit(127);
  }
}

Target::~Target() {
  if (pid_ > 0 && status_ < 0) {
    (void)::kill(pid_, SIGKILL);
    (void)::waitpid(pid_, nullptr, 0);
  }
}

void Target::go() const { REQUIRE(::write(input_.get(), "x", 1) == 1); }

bool Target::has_ended() {
  if (status_ < 0 && ::waitpid(pid_, &status_, WNOHANG) != pid_) status_ = -1;
  return status_ >= 0;
}

int Target::finish() {
  input_.reset();
  for (int i = 0; i < 3000 && !has_ended(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  return status_;
}

Rig::Rig() {
  constexpr int kSkipped = 77;  // what meson takes for "not here"
  if (::geteuid() != 0) ::_exit(kSkipped);
}

Rig::~Rig() {
  orders_.reset();
  if (helper_ > 0) kill_helper();
}

void Rig::start_helper(std::uint32_t watched, const std::vector<std::pair<std::string, std::string>>& config,
                       bool quiet) {
  const std::string helper = built_file("../../oisp-probe-helper");
  auto orders = make_order_pair();
  auto store = make_order_pair();
  REQUIRE((orders.ok() && store.ok()));
  helper_ = ::fork();
  REQUIRE(helper_ >= 0);
  if (helper_ == 0) {
    (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int given_orders = ::fcntl(orders->b.get(), F_DUPFD, 100);
    const int given_store = ::fcntl(store->b.get(), F_DUPFD, 100);
    std::map<std::uint64_t, int> parts;
    for (const auto& [key, fd] : kept_) {
      if (key < kMostParts) parts[key] = ::fcntl(fd.get(), F_DUPFD, 100);
    }
    (void)::dup2(given_orders, kOrdersFd);
    (void)::dup2(given_store, kStoreFd);
    (void)::close_range(kFirstPartFd, 99, 0);
    for (const auto& [key, fd] : parts) (void)::dup2(fd, kFirstPartFd + static_cast<int>(key));
    (void)::close_range(100, ~0u, 0);
    become_helper();
    ::execl(helper.c_str(), helper.c_str(), nullptr);
    ::_exit(127);
  }
  orders_ = std::move(orders->a);
  store_ = std::move(store->a);
  ready_ = false;
  for (const auto& [key, value] : config) {
    Order order{.kind = OrderKind::config};
    order.set_name(key);
    order.set_text(value);
    if (key == "buffer_size") order.value = std::stoull(value);
    REQUIRE(send_order(orders_.get(), order).ok());
  }
  REQUIRE(send_order(orders_.get(), {.kind = OrderKind::watch, .detail = quiet ? 1 : 0, .value = watched}).ok());
  connect_collector();
  auto opener = make_order_pair();
  REQUIRE(send_order(orders_.get(), {.kind = OrderKind::opener}, opener->b.get()).ok());
  opener_ = std::move(opener->a);
  REQUIRE(send_order(orders_.get(), {.kind = OrderKind::begin}).ok());
}

bool Rig::order_ends_it(OrderKind kind) {
  REQUIRE(send_order(orders_.get(), {.kind = kind}).ok());
  int status = -1;
  if (!serve_until([&] { return ::waitpid(helper_, &status, WNOHANG) == helper_; })) return false;
  helper_ = -1;
  return WIFEXITED(status);
}

void Rig::kill_helper() {
  (void)::kill(helper_, SIGKILL);
  (void)::waitpid(helper_, nullptr, 0);
  helper_ = -1;
  // What it had sent before is still to be read.
  if (store_.valid()) serve_store();
  if (collector_.valid() && collector_reads) serve_collector();
  collector_.reset();
  received_.clear();
  opener_.reset();
}

void Rig::connect_collector() {
  auto pair = make_stream_pair(512 << 10);
  REQUIRE(pair.ok());
  REQUIRE(send_order(orders_.get(), {.kind = OrderKind::collector}, pair->b.get()).ok());
  collector_ = std::move(pair->a);
  received_.clear();
}

void Rig::send_to_helper(const std::vector<std::byte>& bytes) const {
  (void)::send(collector_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
}

void Rig::grant(std::uint64_t bytes) const {
  send_to_helper(request_frame([bytes](schema::ToHelper::Builder request) { request.setCredit(bytes); }));
}

void Rig::order_drain() const { REQUIRE(send_order(orders_.get(), {.kind = OrderKind::drain}).ok()); }

std::vector<const Record*> Rig::of_kind(unsigned kind) const {
  std::vector<const Record*> found;
  for (const Record& record : records_) {
    if (record.header().kind == kind) found.push_back(&record);
  }
  return found;
}

void Rig::serve_helper_order() {
  auto received = receive_order(orders_.get());
  if (!received || !received->has_value()) {
    orders_.reset();
    return;
  }
  const Order& order = (*received)->order;
  if (order.kind == OrderKind::ready) ready_ = true;
  if (order.kind == OrderKind::failed)
    failure_ = std::string(order.name_view()) + ": " + std::string(order.text_view());
}

void Rig::serve_store() {
  pollfd entry{.fd = store_.get(), .events = POLLIN, .revents = 0};
  while (store_ && ::poll(&entry, 1, 0) == 1) {
    auto received = receive_order(store_.get());
    if (!received || !received->has_value()) return store_.reset();
    const Order& order = (*received)->order;
    if (order.kind == OrderKind::keep) kept_.emplace(order.value, std::move((*received)->fd));
    if (order.kind == OrderKind::forget) kept_.erase(order.value);
    if (order.kind == OrderKind::scan) start_scanner(std::move((*received)->fd));
    if (order.kind == OrderKind::held) ++stops_;
    if (order.kind == OrderKind::release) (void)::kill(static_cast<pid_t>(order.value), SIGCONT);
  }
}

void Rig::start_scanner(OwnedFd connection_of_it) {
  std::thread([connection = std::move(connection_of_it)] {
    auto asked = receive_order(connection.get());
    if (!asked || !asked->has_value()) return;
    struct stat library {};
    struct stat file {};
    (void)::stat(built_file("libfake-tls.so").c_str(), &library);
    (void)::fstat((*asked)->fd.get(), &file);
    oisp_scan_answer answer{};
    answer.outcome = OISP_SCAN_NO_LIBRARY;
    if (file.st_ino == library.st_ino) answer = fake_library_sites();
    (void)::send(connection.get(), &answer, sizeof answer, MSG_NOSIGNAL);
  }).detach();
}

void Rig::serve_opener() {
  oisp_file_record record{};
  const ssize_t got = ::recv(opener_.get(), &record, sizeof record, MSG_DONTWAIT);
  if (got != static_cast<ssize_t>(sizeof record)) {
    if (got == 0) opener_.reset();
    return;
  }
  char path[128];
  std::snprintf(path, sizeof path, "/proc/%u/map_files/%llx-%llx", record.header.tgid, record.address,
                record.address + record.size);
  if (record.source == OISP_FILE_FROM_EXEC) std::snprintf(path, sizeof path, "/proc/%u/exe", record.header.tgid);
  const OwnedFd file(::open(path, O_RDONLY | O_CLOEXEC));
  oisp_open_answer answer{};
  answer.error = file ? 0 : ESRCH;
  answer.file = record.file;
  answer.tgid = record.header.tgid;
  iovec part{.iov_base = &answer, .iov_len = sizeof answer};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  if (file) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    const int fd = file.get();
    std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  }
  (void)::sendmsg(opener_.get(), &message, MSG_NOSIGNAL);
}

void Rig::take_span(std::uint64_t position, const std::byte* span, std::size_t size) {
  // A helper that took over sends again from the ring's position; nothing may be skipped.
  REQUIRE(position <= expected_position_);
  const std::uint64_t had = expected_position_ - position;
  for (std::size_t at = 0; at < size;) {
    std::uint32_t word = 0;
    std::memcpy(&word, span + at, sizeof word);
    const std::size_t length = word & 0x3fffffff;
    REQUIRE((word & 0x80000000) == 0);
    if (at >= had && (word & 0x40000000) == 0) {
      records_.push_back({.bytes = std::vector<std::byte>(span + at + 8, span + at + 8 + length)});
    }
    at += (length + 8 + 7) / 8 * 8;
  }
  expected_position_ = std::max(expected_position_, position + size);
}

void Rig::take_frame(const std::vector<std::uint64_t>& words) {
  const kj::ArrayPtr<const capnp::word> whole(reinterpret_cast<const capnp::word*>(words.data()), words.size());
  capnp::FlatArrayMessageReader reader(whole);
  const auto message = reader.getRoot<schema::FromHelper>();
  switch (message.which()) {
    case schema::FromHelper::RECORDS: {
      const auto span = message.getRecords().getSpan();
      grant(span.size());
      return take_span(message.getRecords().getPosition(), reinterpret_cast<const std::byte*>(span.begin()),
                       span.size());
    }
    case schema::FromHelper::HELLO: {
      constexpr const char* kHooks[] = OISP_HOOKS;
      const auto hello = read<oisp_hello>(message.getHello());
      ring_bytes_ = hello.ring_bytes;
      uprobes_ = hello.uprobe_multi != 0 ? "uprobe_multi" : "perf";
      for (unsigned i = 0; i < OISP_HOOK_COUNT; ++i) {
        if ((hello.missing_hooks & 1u << i) != 0) missing_.insert(kHooks[i]);
      }
      return;
    }
    case schema::FromHelper::FILE: {
      const auto report = read<oisp_file_report>(message.getFile());
      reports_.push_back({.inode = report.key.inode,
                          .file = report.file,
                          .outcome = report.outcome,
                          .reason = std::string(view_text(report.reason))});
      return;
    }
    case schema::FromHelper::COUNTERS:
      counters_ = read<oisp_counters>(message.getCounters());
      return;
    case schema::FromHelper::DRAINED:
      drained_ = true;
      return;
    case schema::FromHelper::UNSET:
      FAIL("an unset message");
  }
}

void Rig::serve_collector() {
  std::vector<std::byte> bytes(1 << 20);
  for (;;) {
    const ssize_t got = ::recv(collector_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (got == 0) collector_.reset();
    if (got <= 0) break;
    received_.insert(received_.end(), bytes.begin(), bytes.begin() + got);
  }
  std::size_t used = 0;
  while (received_.size() - used >= 16) {
    std::uint32_t head[3];
    std::memcpy(head, received_.data() + used, sizeof head);
    REQUIRE(head[0] <= 1);
    const std::size_t size = head[0] == 1 ? 16 + (head[1] + std::size_t{head[2]}) * 8 : 8 + std::size_t{head[1]} * 8;
    if (received_.size() - used < size) break;
    std::vector<std::uint64_t> words(size / 8);
    std::memcpy(words.data(), received_.data() + used, size);
    used += size;
    take_frame(words);
  }
  received_.erase(received_.begin(), received_.begin() + static_cast<std::ptrdiff_t>(used));
}

bool Rig::serve_until(const std::function<bool()>& done) {
  const char* patience = std::getenv("OISP_PATIENCE_S");
  const auto end =
      std::chrono::steady_clock::now() + std::chrono::seconds(patience != nullptr ? std::atoi(patience) : 30);
  while (!done()) {
    if (std::chrono::steady_clock::now() > end) return false;
    pollfd set[] = {{.fd = orders_.get(), .events = POLLIN, .revents = 0},
                    {.fd = store_.get(), .events = POLLIN, .revents = 0},
                    {.fd = opener_.get(), .events = POLLIN, .revents = 0},
                    {.fd = collector_reads ? collector_.get() : -1, .events = POLLIN, .revents = 0}};
    (void)::poll(set, std::size(set), 20);
    if (set[0].revents != 0) serve_helper_order();
    if (set[1].revents != 0) serve_store();
    if (set[2].revents != 0) serve_opener();
    if (set[3].revents != 0) serve_collector();
  }
  return true;
}

}  // namespace oisp::test
