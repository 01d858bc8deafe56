// Plays launcher, collector, opener and scanner for one real probe-helper, which runs as an uid of
// its own with the capabilities it has in the product. Root only.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/owned-fd.h"
#include "bpf/records.h"
#include "elf-scanner/scan-answer.h"
#include "ipc-schema/order.h"

namespace oisp::test {

struct Record {
  std::vector<std::byte> bytes;
  [[nodiscard]] const oisp_record_header& header() const { return *as<oisp_record_header>(); }
  template <typename T>
  [[nodiscard]] const T* as() const {
    return reinterpret_cast<const T*>(bytes.data());
  }
};

struct FileReportSeen {
  std::uint64_t inode;
  std::uint32_t file;
  unsigned outcome;
  std::string reason;
};

// What is built beside this program, wherever that was put: "test-kernel-target", "../../oisp-probe-helper".
std::string built_file(const std::string& name);

// A program that waits for go() before it does anything.
class Target {
 public:
  explicit Target(const std::vector<std::string>& scenario);
  ~Target();
  Target(const Target&) = delete;
  Target& operator=(const Target&) = delete;
  [[nodiscard]] std::uint32_t tgid() const { return static_cast<std::uint32_t>(pid_); }
  void go() const;
  // Its standard input ends. The wait status; nothing is left of it.
  int finish();
  [[nodiscard]] bool has_ended();

 private:
  pid_t pid_ = -1;
  int status_ = -1;
  OwnedFd input_;
};

class Rig {
 public:
  Rig();
  ~Rig();
  Rig(const Rig&) = delete;
  Rig& operator=(const Rig&) = delete;

  // Starts a helper; one that comes after another is given what that one stored.
  // `quiet`: the watched process has its exec still before it, so nothing of what it is now counts.
  void start_helper(std::uint32_t watched, const std::vector<std::pair<std::string, std::string>>& config = {},
                    bool quiet = false);
  void kill_helper();
  void connect_collector();
  void send_to_helper(const std::vector<std::byte>& bytes) const;
  void grant(std::uint64_t bytes) const;
  void order_drain() const;
  // One that is not permitted any more; true where the helper ends of it.
  bool order_ends_it(OrderKind kind);

  // Serves the helper until `done`, or half a minute (or OISP_PATIENCE_S) has passed (false).
  bool serve_until(const std::function<bool()>& done);

  [[nodiscard]] const std::vector<Record>& records() const { return records_; }
  [[nodiscard]] std::vector<const Record*> of_kind(unsigned kind) const;
  [[nodiscard]] const oisp_counters& counters() const { return counters_; }
  [[nodiscard]] const std::vector<FileReportSeen>& reports() const { return reports_; }
  [[nodiscard]] bool is_ready() const { return ready_; }
  [[nodiscard]] bool is_drained() const { return drained_; }
  [[nodiscard]] bool collector_closed() const { return !collector_; }
  [[nodiscard]] const std::string& uprobes() const { return uprobes_; }
  [[nodiscard]] std::uint64_t ring_bytes() const { return ring_bytes_; }
  [[nodiscard]] const std::string& failure() const { return failure_; }
  [[nodiscard]] bool is_missing(const std::string& hook) const { return missing_.contains(hook); }
  [[nodiscard]] unsigned stops() const { return stops_; }
  [[nodiscard]] std::size_t kept() const { return kept_.size(); }
  // Reads nothing from the helper while this is set.
  bool collector_reads = true;

 private:
  void serve_helper_order();
  void serve_store();
  void serve_opener();
  void serve_collector();
  void take_frame(const std::vector<std::uint64_t>& words);
  void take_span(std::uint64_t position, const std::byte* span, std::size_t size);
  static void start_scanner(OwnedFd connection);

  pid_t helper_ = -1;
  OwnedFd orders_;
  OwnedFd store_;
  OwnedFd collector_;
  OwnedFd opener_;
  std::multimap<std::uint64_t, OwnedFd> kept_;
  std::vector<std::byte> received_;
  std::vector<Record> records_;
  oisp_counters counters_{};
  std::vector<FileReportSeen> reports_;
  std::string uprobes_;
  std::uint64_t ring_bytes_ = 0;
  std::string failure_;
  std::set<std::string> missing_;
  std::uint64_t expected_position_ = 0;
  unsigned stops_ = 0;
  bool ready_ = false;
  bool drained_ = false;
};

// The sites of the library that is none.
oisp_scan_answer fake_library_sites();

}  // namespace oisp::test
