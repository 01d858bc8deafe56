// The way of a file to its probes: announced by the kernel, opened by the opener, looked at by a
// scanner, attached by the file table. Bounded: what does not fit stays in the ring.
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
  // `ring`: of new files.
  FileFlow(FileTable& table, Ring& ring) : table_(table), ring_(ring) {}

  // What the opener before did not answer is asked again.
  void connect_opener(OwnedFd connection);
  // A file that the command line gave.
  void admit(OwnedFd fd, std::string_view name);

  // Descriptors to wait for.
  void add_polled(std::vector<pollfd>& polled) const;
  // Does what can be done now; `stirred`: the opener may have answered. Nothing here waits.
  void advance(bool stirred);

  [[nodiscard]] bool is_at_rest() const { return jobs_.empty() && (ring_.is_empty() || !opener_); }

 private:
  // One file: at the opener until it is open, then waiting for a scanner, then at one.
  struct Job {
    oisp_file_record record{};  // as the kernel made it; of a given file, only the key is set
    FileAtHand file;
    OwnedFd scanner;  // the connection with it
    std::int64_t deadline_ns = 0;
    bool tried = false;  // by a scanner that died
    bool done = false;
  };

  [[nodiscard]] bool ask(const Job& job) const;
  void take_from_ring();
  bool receive_from_opener();
  void scan(Job& job);
  void receive_scan(Job& job);
  void scanner_died(Job& job);
  void clear_done();

  FileTable& table_;
  Ring& ring_;
  OwnedFd opener_;
  std::deque<Job> jobs_;
};

}  // namespace oisp
