// The way of a file to its probes: announced by the kernel, opened by the opener, looked at by a
// scanner, attached by the file table. Bounded at every step: what does not fit stays in the ring.
#pragma once

#include <poll.h>

#include <cstddef>
#include <deque>
#include <vector>

#include "probe-helper/file-table.h"
#include "probe-helper/open-answer.h"
#include "probe-helper/ring.h"

namespace oisp {

class FileFlow {
 public:
  FileFlow(FileTable& table, Store store, Ring ring) : table_(table), store_(store), ring_(std::move(ring)) {}

  // What the opener before did not answer is asked again.
  void connect_opener(OwnedFd connection);
  void connect_scanner(OwnedFd connection);
  void admit(PendingFile file);

  // Descriptors to wait for.
  void add_polled(std::vector<pollfd>& polled) const;
  // Does what can be done now. Nothing here waits.
  void advance();

  [[nodiscard]] bool is_at_rest() const {
    return at_opener_.empty() && pending() == 0 && (ring_.is_empty() || !opener_);
  }
  [[nodiscard]] const Ring& ring() const { return ring_; }

 private:
  struct Scan {
    PendingFile file;
    OwnedFd connection;
    std::int64_t deadline_ns;
  };

  [[nodiscard]] bool pass(const oisp_file_record& record) const;
  void pass_to_opener();
  bool receive_from_opener();
  void take(const oisp_open_answer& answer, OwnedFd fd);
  void want_scanners();
  void receive_scans();
  bool conclude(Scan& scan);
  void scanner_died(PendingFile& file);
  void finished(std::uint32_t tgid);
  [[nodiscard]] std::size_t pending() const { return waiting_.size() + scans_.size(); }
  [[nodiscard]] bool is_awaited(std::uint32_t tgid) const;

  FileTable& table_;
  Store store_;
  Ring ring_;
  OwnedFd opener_;
  std::deque<oisp_file_record> at_opener_;
  std::deque<PendingFile> waiting_;
  std::vector<Scan> scans_;
  std::size_t wanted_ = 0;            // scanners asked for and not here yet
  std::int64_t wanted_since_ns_ = 0;  // when the last was asked for or came
};

}  // namespace oisp
