#include "probe-helper/file-flow.h"

#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "base/message.h"
#include "probe-helper/limits.h"
#include "probe-helper/span.h"

namespace oisp {
namespace {

std::int64_t now_ns() { return read_clock_ns(CLOCK_MONOTONIC); }

bool same_file(const oisp_file_key& a, const oisp_file_key& b) { return a.device == b.device && a.inode == b.inode; }

}  // namespace

void FileFlow::connect_opener(OwnedFd connection) {
  opener_ = std::move(connection);
  for (const oisp_file_record& record : at_opener_) (void)pass(record);
}

bool FileFlow::pass(const oisp_file_record& record) const {
  return send_message(opener_.get(), &record, sizeof record, -1, MSG_DONTWAIT).ok();
}

void FileFlow::pass_to_opener() {
  while (opener_ && at_opener_.size() < kMostAtOpener && at_opener_.size() + pending() < kMostPendingFiles) {
    const auto bytes = ring_.records(kRingHeaderBytes + sizeof(oisp_file_record));
    if (bytes.empty()) return;
    const RingRecord head = ring_record_at(bytes.data());
    if (!head.discarded && head.length == sizeof(oisp_file_record)) {
      oisp_file_record record{};
      std::memcpy(&record, bytes.data() + kRingHeaderBytes, sizeof record);
      if (!pass(record)) return;
      if (record.held != 0) store_.request_hold(record.header.tgid);
      at_opener_.push_back(record);
    }
    ring_.consume(bytes.size());
  }
}

bool FileFlow::receive_from_opener() {
  oisp_open_answer answer{};
  auto fd = receive_message(opener_.get(), &answer, sizeof answer, MSG_DONTWAIT);
  if (!fd && fd.error().error == EAGAIN) return false;
  if (fd && *fd) {
    take(answer, std::move(**fd));
  } else {
    opener_.reset();
  }
  return opener_.valid();
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

// False where the scanner is still at work.
bool FileFlow::conclude(Scan& scan) {
  oisp_scan_answer answer{};
  const auto received = receive_message(scan.connection.get(), &answer, sizeof answer, MSG_DONTWAIT);
  if (received && received.value()) {
    table_.conclude_scan(scan.file, answer);
  } else if (received || received.error().error != EAGAIN) {
    scanner_died(scan.file);
  } else if (now_ns() >= scan.deadline_ns) {
    table_.conclude_failure(scan.file, FileOutcome::scan_failed, ETIMEDOUT, "the scanner took too long");
  } else {
    return false;
  }
  return true;
}

void FileFlow::receive_scans() {
  std::vector<std::uint32_t> done;
  std::erase_if(scans_, [&](Scan& scan) {
    if (!conclude(scan)) return false;
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
