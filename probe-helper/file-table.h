// What became of each file: in a map that outlives this process, so that a successor knows which
// probes are placed. Bounded: a file without probes makes room, one with probes never.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "elf-scanner/scan-answer.h"
#include "probe-helper/kernel-side.h"
#include "probe-helper/uprobes.h"

namespace oisp {

// A file on its way to being probed.
struct FileAtHand {
  oisp_file_key key{};
  OwnedFd fd;
  std::string given_name;  // of one that the command line gave before the start
};

class FileTable {
 public:
  // `kernel` outlives it.
  explicit FileTable(const KernelSide& kernel) : kernel_(kernel) {}

  // Takes over what an earlier helper left. What that one had begun and not finished is undone.
  void adopt();

  [[nodiscard]] bool knows(const oisp_file_key& key) const { return find(key) != 0; }
  // The kernel need not announce this file.
  void mark_seen(const oisp_file_key& key) const;

  // Its probes are in place, and its content is what it was then. Without a descriptor, only the first.
  [[nodiscard]] bool is_done(const FileAtHand& file) const;
  // The scanner's answer: checks it and places the probes.
  void conclude_scan(const FileAtHand& file, const oisp_scan_answer& answer);
  // No probes. `outcome`: OISP_FILE_*; `error`: errno, or EBADMSG where the scanner's answer makes no sense,
  // EILSEQ where the file is not what was scanned; `answer`: the scanner's, if it has a reason.
  void conclude_failure(const FileAtHand& file, std::uint32_t outcome, int error,
                        const oisp_scan_answer* answer = nullptr);

  // The collector says that nobody uses this file any more: takes its probes away. What was given
  // stays: who uses it later would not have been watched from its first byte.
  void forget_unused(const oisp_file_key& key);

  // The next file that the collector has not been told of, or null; all again after report_all().
  const oisp_file_report* next_report();
  void report_all();

 private:
  [[nodiscard]] std::uint32_t find(const oisp_file_key& key) const;
  std::uint32_t claim(const FileAtHand& file);
  void mark_unseen(const oisp_file_key& key) const;
  void release(std::uint32_t number);
  void finish(std::uint32_t number, std::uint32_t outcome, int error);
  Status place_probes(std::uint32_t number, int file, const oisp_scan_answer& answer) const;
  [[nodiscard]] Status write_slot(std::uint32_t slot, const oisp_site_slot& value) const;
  [[nodiscard]] Status attach(std::uint32_t number, int file, const std::vector<ProbePoint>& points,
                              bool at_return) const;
  [[nodiscard]] oisp_file_entry& entry(std::uint32_t number) const { return kernel_.files()[number - 1]; }

  const KernelSide& kernel_;
  std::uint32_t victim_ = 0;  // the last that made room
  bool has_news_ = true;      // the collector may not know all
};

// The key by which the kernel's records name the file behind `fd`, as far as fstat can tell.
Result<oisp_file_key> key_of(int fd);

}  // namespace oisp
