#include "probe-helper/file-flow.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <utility>

#include "base/log.h"
#include "probe-helper/limits.h"
#include "probe-helper/span.h"

namespace oisp {
namespace {

std::uint64_t now_ns() {
  timespec now{};
  (void)::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

bool send_whole(int socket, const void* message, std::size_t size) {
  return ::send(socket, message, size, MSG_DONTWAIT | MSG_NOSIGNAL) == static_cast<ssize_t>(size);
}

enum class Received { nothing, message, end };

// One message of exactly `size` bytes with at most one descriptor; anything else is the end.
Received receive_message(int socket, void* message, std::size_t size, OwnedFd& fd) {
  iovec part{.iov_base = message, .iov_len = size};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  const ssize_t got = ::recvmsg(socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got < 0) return errno == EAGAIN || errno == EINTR ? Received::nothing : Received::end;
  const cmsghdr* rights = CMSG_FIRSTHDR(&header);
  if (rights != nullptr && rights->cmsg_level == SOL_SOCKET && rights->cmsg_type == SCM_RIGHTS) {
    int number = -1;
    std::memcpy(&number, CMSG_DATA(rights), sizeof number);
    fd = OwnedFd(number);
  }
  const bool whole = got == static_cast<ssize_t>(size) && (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0;
  return whole ? Received::message : Received::end;
}

bool same_file(const oisp_file_key& a, const oisp_file_key& b) { return a.device == b.device && a.inode == b.inode; }

}  // namespace

void FileFlow::connect_opener(OwnedFd connection) {
  opener_ = std::move(connection);
  for (const oisp_file_record& record : at_opener_) (void)send_whole(opener_.get(), &record, sizeof record);
}

void FileFlow::pass_to_opener() {
  while (opener_ && at_opener_.size() < kMostAtOpener && at_opener_.size() + pending() < kMostPendingFiles) {
    const auto bytes = ring_.records(kRingHeaderBytes + sizeof(oisp_file_record));
    if (bytes.empty()) return;
    const RingRecord head = ring_record_at(bytes.data());
    if (!head.discarded && head.length == sizeof(oisp_file_record)) {
      oisp_file_record record{};
      std::memcpy(&record, bytes.data() + kRingHeaderBytes, sizeof record);
      if (!send_whole(opener_.get(), &record, sizeof record)) return;
      if (record.held != 0) store_.request_hold(record.header.tgid);
      at_opener_.push_back(record);
    }
    ring_.consume(bytes.size());
  }
}

bool FileFlow::receive_from_opener() {
  oisp_open_answer answer{};
  OwnedFd fd;
  switch (receive_message(opener_.get(), &answer, sizeof answer, fd)) {
    case Received::nothing:
      return false;
    case Received::end:
      opener_.reset();
      return false;
    case Received::message:
      take(answer, std::move(fd));
      return true;
  }
  return false;
}

void FileFlow::take(const oisp_open_answer& answer, OwnedFd fd) {
  const auto asked = std::find_if(at_opener_.begin(), at_opener_.end(), [&](const oisp_file_record& record) {
    return same_file(record.file, answer.file) && record.header.tgid == answer.tgid;
  });
  // Asked by the helper before this one: as welcome, if the kernel has it on its list.
  if (asked != at_opener_.end()) at_opener_.erase(asked);
  PendingFile file{.key = answer.file, .fd = std::move(fd), .tgid = answer.tgid, .name = {}};
  if (answer.outcome == OISP_OPEN_OPENED && key_of(file.fd.get()).ok()) return admit(std::move(file));
  if (answer.outcome == OISP_OPEN_NOT_REGULAR) {
    table_.conclude_failure(file, FileOutcome::no_tls_library, 0, {});
  } else {
    const int error = answer.outcome == OISP_OPEN_GONE ? ESRCH : answer.error;
    table_.conclude_failure(file, FileOutcome::open_failed, error, {});
  }
  finished(answer.tgid);
}

void FileFlow::admit(PendingFile file) {
  const std::uint32_t tgid = file.tgid;
  if (table_.conclude_known(file)) return finished(tgid);
  waiting_.push_back(std::move(file));
}

void FileFlow::want_scanners() {
  while (wanted_ < waiting_.size() && wanted_ + scans_.size() < kMostScans) {
    store_.request_scanner();
    ++wanted_;
    wanted_since_ns_ = now_ns();
  }
  // None came: the launcher could not start one.
  if (wanted_ == 0 || now_ns() - wanted_since_ns_ < kScanDeadline_ns || waiting_.empty()) return;
  wanted_ = 0;
  const PendingFile file = std::move(waiting_.front());
  waiting_.pop_front();
  table_.conclude_failure(file, FileOutcome::scan_failed, ETIMEDOUT, "no scanner could be started");
  finished(file.tgid);
}

void FileFlow::connect_scanner(OwnedFd connection) {
  if (wanted_ > 0) --wanted_;
  wanted_since_ns_ = now_ns();
  if (waiting_.empty()) return;  // the scanner ends as its connection closes
  Scan scan{.file = std::move(waiting_.front()),
            .connection = std::move(connection),
            .deadline_ns = now_ns() + kScanDeadline_ns};
  waiting_.pop_front();
  if (const Status sent = send_order(scan.connection.get(), {.kind = OrderKind::file}, scan.file.fd.get()); !sent) {
    scanner_died(scan.file);
    return finished(scan.file.tgid);
  }
  scans_.push_back(std::move(scan));
}

// The file may be what kills scanners, or somebody has killed this one: a second try tells.
void FileFlow::scanner_died(PendingFile& file) {
  if (std::exchange(file.tried, true)) {
    table_.conclude_failure(file, FileOutcome::scan_failed, 0, "the scanner died");
  } else {
    waiting_.push_front(std::move(file));
  }
}

bool FileFlow::conclude(Scan& scan, std::uint64_t now) {
  oisp_scan_answer answer{};
  OwnedFd none;
  switch (receive_message(scan.connection.get(), &answer, sizeof answer, none)) {
    case Received::nothing:
      if (now < scan.deadline_ns) return false;
      table_.conclude_failure(scan.file, FileOutcome::scan_failed, ETIMEDOUT, "the scanner took too long");
      return true;
    case Received::end:
      scanner_died(scan.file);
      return true;
    case Received::message:
      table_.conclude_scan(scan.file, answer);
      return true;
  }
  return true;
}

void FileFlow::receive_scans() {
  const std::uint64_t now = now_ns();
  std::vector<std::uint32_t> done;
  std::erase_if(scans_, [&](Scan& scan) {
    if (!conclude(scan, now)) return false;
    done.push_back(scan.file.tgid);
    return true;
  });
  for (const std::uint32_t tgid : done) finished(tgid);
}

bool FileFlow::is_awaited(std::uint32_t tgid) const {
  const auto is_of = [tgid](const PendingFile& file) { return file.tgid == tgid; };
  return std::any_of(waiting_.begin(), waiting_.end(), is_of) ||
         std::any_of(scans_.begin(), scans_.end(), [&](const Scan& scan) { return is_of(scan.file); }) ||
         std::any_of(at_opener_.begin(), at_opener_.end(),
                     [tgid](const oisp_file_record& record) { return record.header.tgid == tgid; });
}

// A process that waits for nothing any more may go on, where it was stopped: the launcher knows.
void FileFlow::finished(std::uint32_t tgid) {
  if (tgid != 0 && !is_awaited(tgid)) store_.request_release(tgid);
}

void FileFlow::add_polled(std::vector<pollfd>& polled) const {
  if (opener_) polled.push_back({.fd = opener_.get(), .events = POLLIN, .revents = 0});
  for (const Scan& scan : scans_) polled.push_back({.fd = scan.connection.get(), .events = POLLIN, .revents = 0});
}

void FileFlow::advance() {
  if (!ring_.is_empty()) pass_to_opener();
  while (opener_ && receive_from_opener()) {
  }
  if (!scans_.empty()) receive_scans();
  if (!waiting_.empty()) want_scanners();
}

}  // namespace oisp
