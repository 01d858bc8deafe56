// What became of each file: in memory, and in a map that outlives this process, so that a successor
// knows which probes are placed. Bounded; the file whose probes fired least recently goes first.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "bpf/shared-maps.h"
#include "elf-scanner/scan-answer.h"
#include "ipc-schema/helper-codec.h"
#include "probe-helper/attach.h"
#include "probe-helper/kernel-side.h"
#include "probe-helper/store.h"

namespace oisp {

// A file on its way to being probed.
struct PendingFile {
  oisp_file_key key{};
  OwnedFd fd;
  std::uint32_t tgid = 0;  // who brought it; 0: the launcher
  std::string name;
  bool tried = false;  // by a scanner that died
};

class FileTable {
 public:
  FileTable(const KernelSide& kernel, const UprobeKind& kind, Store store);

  // Takes over what an earlier helper left; `links` are the names of links that the launcher has.
  // What that helper had begun and not finished is undone.
  void adopt(const std::set<std::string>& links);

  [[nodiscard]] bool knows(const oisp_file_key& key) const { return find(key) != 0; }
  // Tells the kernel that this file is to be announced again.
  void mark_unseen(const oisp_file_key& key) const;

  // If the same inode, with the same content, is probed already, notes that: nothing is to be scanned.
  bool conclude_known(const PendingFile& file);
  // The scanner's answer: checks it and places the probes.
  void conclude_scan(const PendingFile& file, const oisp_scan_answer& answer);
  // No answer, or no file.
  void conclude_failure(const PendingFile& file, FileOutcome outcome, int error, const std::string& reason);

  // The collector says that nobody uses this file any more: takes its probes away. What the launcher gave
  // stays: who uses it later would not have been watched from its first byte.
  void forget_unused(const oisp_file_key& key);

  // The next file that the collector has not been told of; all again after report_all().
  std::optional<Frame> next_report();
  void report_all();

 private:
  [[nodiscard]] std::uint32_t find(const oisp_file_key& key) const;
  std::uint32_t claim(const PendingFile& file);
  [[nodiscard]] std::uint32_t choose_victim() const;
  [[nodiscard]] std::uint64_t last_hit_ns(std::uint32_t number) const;
  void save(std::uint32_t number);
  void release(std::uint32_t number);
  void finish(std::uint32_t number, FileOutcome outcome, int error, const std::string& reason);
  Status place_probes(std::uint32_t number, int file, const oisp_scan_answer& answer);
  Status write_slot(std::uint32_t slot, const oisp_site* site, std::uint32_t number) const;
  Result<std::uint32_t> attach(std::uint32_t number, int file, const std::vector<ProbePoint>& points, bool at_return);
  oisp_file_entry& entry(std::uint32_t number) { return entries_[number - 1]; }
  [[nodiscard]] const oisp_file_entry& entry(std::uint32_t number) const { return entries_[number - 1]; }

  const KernelSide& kernel_;
  UprobeKind kind_;
  Store store_;
  std::vector<oisp_file_entry> entries_;
  std::vector<bool> due_;
};

// The key by which the kernel's records name the file behind `fd`, as far as fstat can tell.
Result<oisp_file_key> key_of(int fd);

}  // namespace oisp
