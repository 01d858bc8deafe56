// The file-opener as it runs: its own uid and capabilities, real processes. Needs root.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <string>

#include "ipc-schema/order.h"
#include "launcher/role.h"
#include "probe-helper/open-answer.h"
#include "tests/catch.h"

using namespace oisp;

namespace {

constexpr uid_t kOpenerUid = 0x7ffffff0;
constexpr uid_t kStrangerUid = 0x7fffffe0;

// A file-opener, and the helper's end of its connection.
class RunningOpener {
 public:
  RunningOpener() {
    auto orders = make_order_pair();
    auto helper = make_order_pair();
    REQUIRE((orders.ok() && helper.ok()));
    const std::string path = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "oisp-file-opener";
    const OwnedFd program(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    REQUIRE(program.valid());
    const OwnedFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    auto process = start_role({.entry = entry_of(RoleKind::file_opener),
                               .program = program.get(),
                               .uid = kOpenerUid,
                               .descriptors = {null.get(), STDERR_FILENO, STDERR_FILENO, orders->b.get()}});
    REQUIRE(process.ok());
    process_ = *process;
    REQUIRE(send_order(orders->a.get(), {.kind = OrderKind::helper}, helper->b.get()).ok());
    REQUIRE(send_order(orders->a.get(), {.kind = OrderKind::begin}).ok());
    orders_ = std::move(orders->a);
    helper_ = std::move(helper->a);
  }
  ~RunningOpener() {
    orders_.reset();
    int status = 0;
    CHECK(::waitpid(process_, &status, 0) == process_);
    CHECK(status == 0);
  }

  struct Answer {
    oisp_open_answer answer;
    OwnedFd file;
  };
  Answer ask(const oisp_file_record& record) {
    REQUIRE(::send(helper_.get(), &record, sizeof record, 0) == static_cast<ssize_t>(sizeof record));
    Answer got{};
    iovec part{.iov_base = &got.answer, .iov_len = sizeof got.answer};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    REQUIRE(::recvmsg(helper_.get(), &message, MSG_CMSG_CLOEXEC) == static_cast<ssize_t>(sizeof got.answer));
    if (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
      got.file = OwnedFd(fd);
    }
    CHECK(got.answer.tgid == record.header.tgid);
    CHECK(got.answer.file.inode == record.file.inode);
    return got;
  }

 private:
  pid_t process_ = -1;
  OwnedFd orders_;
  OwnedFd helper_;
};

// A child that runs `prepare` and then waits to be killed.
class Child {
 public:
  explicit Child(const std::function<void()>& prepare) {
    int ready[2];
    REQUIRE(::pipe2(ready, O_CLOEXEC) == 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
      prepare();
      (void)!::write(ready[1], "r", 1);
      for (;;) ::pause();
    }
    (void)::close(ready[1]);
    char byte = 0;
    (void)!::read(ready[0], &byte, 1);  // its end, where `prepare` executed something
    (void)::close(ready[0]);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    (void)::kill(pid_, SIGKILL);
    (void)::waitpid(pid_, nullptr, 0);
  }
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
};

std::uint64_t start_ns(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(file, text);
  std::size_t at = text.rfind(')');
  for (int i = 0; i < 20; ++i) at = text.find(' ', at + 1);
  return std::strtoull(text.c_str() + at, nullptr, 10) * 10'000'000;
}

oisp_file_record record_of(pid_t pid, std::uint32_t source, std::uint64_t inode) {
  oisp_file_record record{};
  record.header.tgid = static_cast<__u32>(pid);
  record.header.start_ns = start_ns(pid);
  record.source = source;
  record.file.inode = inode;
  return record;
}

std::uint64_t inode_of(const std::string& path) {
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_ino;
}

std::uint64_t inode_of(const OwnedFd& file) {
  struct stat status {};
  REQUIRE(::fstat(file.get(), &status) == 0);
  return status.st_ino;
}

class Folder {
 public:
  Folder() {
    char name[] = "/tmp/oisp-opener-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);  // mode 0700
    path_ = name;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  [[nodiscard]] std::string file(const char* name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

bool may_run() {
  if (::geteuid() == 0) return true;
  WARN("needs root");
  return false;
}

void execute(const std::string& path) {
  (void)::execl(path.c_str(), "sleep", "60", nullptr);
  ::_exit(1);
}

// Waits until the child runs another program than this test.
void wait_for_exec(pid_t pid, const std::string& file) {
  const std::uint64_t wanted = inode_of(file);
  struct stat status {};
  for (int i = 0; i < 2000; ++i) {
    if (::stat(("/proc/" + std::to_string(pid) + "/exe").c_str(), &status) == 0 && status.st_ino == wanted) return;
    ::usleep(1000);
  }
  FAIL("the child does not run");
}

}  // namespace

TEST_CASE("a program in a private folder, of another user, deleted since, is opened") {
  if (!may_run()) return;
  const Folder folder;
  const std::string path = folder.file("program");
  std::filesystem::copy_file("/bin/sleep", path);
  const std::uint64_t inode = inode_of(path);
  const Child child([&] {
    const OwnedFd program(::open(path.c_str(), O_PATH));
    if (::setresgid(kStrangerUid, kStrangerUid, kStrangerUid) != 0) ::_exit(1);
    if (::setresuid(kStrangerUid, kStrangerUid, kStrangerUid) != 0) ::_exit(1);
    char name[] = "sleep";
    char time[] = "60";
    char* words[] = {name, time, nullptr};
    (void)::execveat(program.get(), "", words, environ, AT_EMPTY_PATH);
    ::_exit(1);
  });
  wait_for_exec(child.pid(), path);
  std::filesystem::remove(path);

  RunningOpener opener;
  const auto got = opener.ask(record_of(child.pid(), OISP_FILE_FROM_EXEC, inode));
  CHECK(got.answer.error == 0);
  REQUIRE(got.file.valid());
  CHECK(inode_of(got.file) == inode);
  CHECK((::fcntl(got.file.get(), F_GETFL) & O_ACCMODE) == O_RDONLY);
}

TEST_CASE("a program in another mount namespace is opened") {
  if (!may_run()) return;
  const Folder folder;
  int inodes[2];
  REQUIRE(::pipe2(inodes, O_CLOEXEC) == 0);
  const Child child([&] {
    // A file system that only the child has.
    const std::string mounted = folder.file("mounted");
    if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) ::_exit(1);
    if (::mkdir(mounted.c_str(), 0700) != 0 || ::mount("none", mounted.c_str(), "tmpfs", 0, nullptr) != 0) ::_exit(1);
    std::filesystem::copy_file("/bin/sleep", mounted + "/program");
    struct stat status {};
    if (::stat((mounted + "/program").c_str(), &status) != 0) ::_exit(1);
    const std::uint64_t inode = status.st_ino;
    (void)!::write(inodes[1], &inode, sizeof inode);
    execute(mounted + "/program");
  });
  std::uint64_t inode = 0;
  REQUIRE(::read(inodes[0], &inode, sizeof inode) == static_cast<ssize_t>(sizeof inode));
  RunningOpener opener;
  const auto got = opener.ask(record_of(child.pid(), OISP_FILE_FROM_EXEC, inode));
  CHECK(got.answer.error == 0);
  (void)::close(inodes[0]);
  (void)::close(inodes[1]);
}

TEST_CASE("a mapped file is found by its place, also where segments lie over it") {
  if (!may_run()) return;
  const Folder folder;
  const std::string path = folder.file("library");
  constexpr std::size_t kPage = 4096;
  {
    std::ofstream file(path);
    file << std::string(4 * kPage, 'x');
  }
  int places[2];
  REQUIRE(::pipe2(places, O_CLOEXEC) == 0);
  const Child child([&] {
    const OwnedFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    auto* place = static_cast<char*>(::mmap(nullptr, 4 * kPage, PROT_READ, MAP_PRIVATE, file.get(), 0));
    (void)::mmap(place + kPage, kPage, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, file.get(), kPage);
    (void)::mmap(place, kPage, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    const auto address = reinterpret_cast<std::uint64_t>(place);
    (void)!::write(places[1], &address, sizeof address);
  });
  std::uint64_t address = 0;
  REQUIRE(::read(places[0], &address, sizeof address) == static_cast<ssize_t>(sizeof address));
  const std::uint64_t inode = inode_of(path);
  std::filesystem::remove(path);

  RunningOpener opener;
  oisp_file_record record = record_of(child.pid(), OISP_FILE_FROM_MMAP, inode);
  record.address = address;
  record.size = 4 * kPage;
  auto got = opener.ask(record);
  CHECK(got.answer.error == 0);
  REQUIRE(got.file.valid());
  CHECK(inode_of(got.file) == inode);

  record.source = OISP_FILE_FROM_VMA;
  record.address = address + kPage;
  record.size = kPage;
  CHECK(opener.ask(record).answer.error == 0);
  record.address = address + 8 * kPage;  // no such mapping
  CHECK(opener.ask(record).answer.error == ESRCH);
  (void)::close(places[0]);
  (void)::close(places[1]);
}

TEST_CASE("another process with the same number, and another file, are refused") {
  if (!may_run()) return;
  const Child child([] {});
  const std::uint64_t inode = inode_of("/proc/" + std::to_string(child.pid()) + "/exe");
  RunningOpener opener;
  oisp_file_record record = record_of(child.pid(), OISP_FILE_FROM_EXEC, inode);
  CHECK(opener.ask(record).answer.error == 0);
  record.header.start_ns -= 1'000'000'000;
  const auto reused = opener.ask(record);
  CHECK(reused.answer.error == ESRCH);
  CHECK_FALSE(reused.file.valid());
  record.header.start_ns += 1'000'000'000;
  record.file.inode += 1;
  CHECK(opener.ask(record).answer.error == ESRCH);
  record.header.tgid = 0x7ffffff;
  CHECK(opener.ask(record).answer.error == ESRCH);
  record = record_of(child.pid(), 99, inode);  // of no known source: no mapping either
  CHECK(opener.ask(record).answer.error == ESRCH);
}

TEST_CASE("no device is opened, though a process maps it") {
  if (!may_run()) return;
  int places[2];
  REQUIRE(::pipe2(places, O_CLOEXEC) == 0);
  const Child child([&] {
    const OwnedFd zero(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
    const auto address = reinterpret_cast<std::uint64_t>(::mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE, zero.get(), 0));
    (void)!::write(places[1], &address, sizeof address);
  });
  oisp_file_record record = record_of(child.pid(), OISP_FILE_FROM_VMA, inode_of("/dev/zero"));
  record.size = 4096;
  REQUIRE(::read(places[0], &record.address, sizeof record.address) == static_cast<ssize_t>(sizeof record.address));
  RunningOpener opener;
  const auto got = opener.ask(record);
  CHECK(got.answer.error != 0);
  CHECK_FALSE(got.file.valid());
  (void)::close(places[0]);
  (void)::close(places[1]);
}
