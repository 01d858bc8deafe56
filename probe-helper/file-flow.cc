#include "probe-helper/file-flow.h"

#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "base/message.h"

namespace oisp {
namespace {

// Elf-scanners at work at once: the machine is somebody else's.
constexpr std::ptrdiff_t kMostScans = 4;

// Files on their way from the kernel's ring to a probe; more stay in the ring. The descriptors of
// all of them are open here, so RLIMIT_NOFILE follows from it.
constexpr std::size_t kMostFilesAtOnce = 64;

// A scanner that takes longer is given up: its own limits should have ended it before.
constexpr std::int64_t kScanDeadline_ns = 10'000'000'000;

}  // namespace

void FileFlow::connect_opener(OwnedFd connection) {
  opener_ = std::move(connection);
  for (const Job& job : jobs_) {
    if (!job.file.fd) (void)ask(job);
  }
}

void FileFlow::admit(OwnedFd fd, std::string_view name) {
  auto key = key_of(fd.get());
  if (!key) return log_warning("a file that cannot be probed was given");
  table_.mark_seen(*key);
  if (table_.knows(*key)) return;
  Job job;
  job.record.file = *key;
  job.file = {.key = *key, .fd = std::move(fd), .given_name = std::string(name)};
  jobs_.push_back(std::move(job));
}

bool FileFlow::ask(const Job& job) const {
  return send_message(opener_.get(), &job.record, sizeof job.record, -1, MSG_DONTWAIT).ok();
}

void FileFlow::take_from_ring() {
  while (opener_ && jobs_.size() < kMostFilesAtOnce) {
    const auto bytes = ring_.records(kRingHeaderBytes + sizeof(oisp_file_record));
    if (bytes.empty()) return;
    const auto payload = first_payload(bytes);
    if (payload.size() == sizeof(oisp_file_record)) {
      Job job;
      std::memcpy(&job.record, payload.data(), sizeof job.record);
      job.file.key = job.record.file;
      if (!ask(job)) return;
      if (job.record.held != 0) tell_launcher(OrderKind::held, job.record.header.tgid);
      jobs_.push_back(std::move(job));
    }
    ring_.consume(bytes.size());
  }
}

bool FileFlow::receive_from_opener() {
  oisp_open_answer answer{};
  auto fd = receive_message(opener_.get(), &answer, sizeof answer, MSG_DONTWAIT);
  if (!fd && fd.error().error == EAGAIN) return false;
  if (!fd || !*fd) {
    opener_.reset();
    return false;
  }
  const auto asked = std::find_if(jobs_.begin(), jobs_.end(), [&](const Job& job) {
    return !job.file.fd && job.record.header.tgid == answer.tgid && job.file.key.device == answer.file.device &&
           job.file.key.inode == answer.file.inode;
  });
  // Else the helper before this one asked: what it did not finish is announced again.
  if (asked == jobs_.end()) return true;
  asked->file.fd = std::move(**fd);
  asked->done = answer.error != 0 || !key_of(asked->file.fd.get());
  if (!asked->done) return true;
  const bool failed = answer.error != 0 && answer.error != ENOTSUP;
  table_.conclude_failure(asked->file, failed ? OISP_FILE_OPEN_FAILED : OISP_FILE_NO_TLS_LIBRARY, answer.error);
  return true;
}

void FileFlow::scan(Job& job) {
  job.done = table_.is_done(job.file);
  if (job.done) return;
  auto pair = make_order_pair();
  if (!pair || !send_order(pair->a.get(), {.kind = OrderKind::file}, job.file.fd.get())) return scanner_died(job);
  tell_launcher(OrderKind::scan, 0, pair->b.get());
  job.scanner = std::move(pair->a);
  job.deadline_ns = read_clock_ns(CLOCK_MONOTONIC) + kScanDeadline_ns;
}

// The file may be what kills scanners, or somebody has killed this one: a second try tells.
void FileFlow::scanner_died(Job& job) {
  job.scanner.reset();
  job.done = std::exchange(job.tried, true);
  if (job.done) table_.conclude_failure(job.file, OISP_FILE_SCAN_FAILED, 0);
}

void FileFlow::receive_scan(Job& job) {
  oisp_scan_answer answer{};
  auto received = receive_message(job.scanner.get(), &answer, sizeof answer, MSG_DONTWAIT);
  if (received && *received) {
    table_.conclude_scan(job.file, answer);
    job.done = true;
  } else if (received || received.error().error != EAGAIN) {
    scanner_died(job);
  } else if (read_clock_ns(CLOCK_MONOTONIC) >= job.deadline_ns) {
    table_.conclude_failure(job.file, OISP_FILE_SCAN_FAILED, ETIMEDOUT);
    job.done = true;
  }
}

// A process that waits for nothing any more may go on, where it was stopped: the launcher knows.
void FileFlow::clear_done() {
  std::set<std::uint32_t> waiting{0};
  std::set<std::uint32_t> released;
  for (const Job& job : jobs_) (job.done ? released : waiting).insert(job.record.header.tgid);
  std::erase_if(jobs_, [](const Job& job) { return job.done; });
  for (const std::uint32_t tgid : released) {
    if (!waiting.contains(tgid)) tell_launcher(OrderKind::release, tgid);
  }
}

void FileFlow::add_polled(std::vector<pollfd>& polled) const {
  if (opener_) polled.push_back({.fd = opener_.get(), .events = POLLIN, .revents = 0});
  for (const Job& job : jobs_) {
    if (job.scanner) polled.push_back({.fd = job.scanner.get(), .events = POLLIN, .revents = 0});
  }
}

void FileFlow::advance(bool stirred) {
  if (!ring_.is_empty()) take_from_ring();
  while (stirred && opener_ && receive_from_opener()) {
  }
  if (jobs_.empty()) return;
  auto scanning = std::count_if(jobs_.begin(), jobs_.end(), [](const Job& job) { return job.scanner.valid(); });
  for (Job& job : jobs_) {
    if (job.scanner) {
      receive_scan(job);
    } else if (job.file.fd && !job.done && scanning < kMostScans) {
      scan(job);
      ++scanning;
    }
  }
  clear_done();
}

}  // namespace oisp
