#include "probe-helper/file-table.h"

#include <bpf/bpf.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/log.h"
#include "base/text-array.h"

namespace oisp {
namespace {

bool is_probed(const oisp_file_entry& entry) {
  return entry.state == OISP_ENTRY_DONE && entry.report.outcome == OISP_FILE_PROBED;
}

// What tells one content of an inode from another, as far as can be told without reading it.
std::uint64_t content_of(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return 0;
  const auto changed_ns = static_cast<std::uint64_t>(status.st_mtim.tv_sec) * 1'000'000'000 +
                          static_cast<std::uint64_t>(status.st_mtim.tv_nsec);
  return (changed_ns * 31 + static_cast<std::uint64_t>(status.st_size)) | 1;
}

std::uint32_t first_slot(std::uint32_t number) { return (number - 1) * OISP_FILE_SITES; }

// The last entry is for the file that found all others probed.
constexpr std::uint32_t kNoRoom = OISP_FILE_ENTRIES;

static_assert(OISP_SCAN_MOST_SITES == OISP_FILE_SITES);

}  // namespace

Result<oisp_file_key> key_of(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return errno_fault("look at a file");
  if (!S_ISREG(status.st_mode)) return fault("not a regular file");
  // The kernel's own encoding of a device number, not the one for user space.
  return oisp_file_key{.device = static_cast<std::uint64_t>(major(status.st_dev)) << 20 | minor(status.st_dev),
                       .inode = status.st_ino};
}

void FileTable::adopt() {
  for (std::uint32_t number = 1; number <= OISP_FILE_ENTRIES; ++number) {
    if (entry(number).state == OISP_ENTRY_BEGUN) release(number);
  }
  // What was announced and never concluded died with the earlier helper: it is announced again.
  std::vector<oisp_file_key> unknown;
  oisp_file_key key{};
  for (const oisp_file_key* last = nullptr;
       ::bpf_map_get_next_key(kernel_.fd(OISP_PART_SEEN_FILES), last, &key) == 0 && unknown.size() < 65536;
       last = &key) {
    if (!knows(key)) unknown.push_back(key);
  }
  for (const oisp_file_key& one : unknown) mark_unseen(one);
  report_all();
}

std::uint32_t FileTable::find(const oisp_file_key& key) const {
  for (std::uint32_t number = 1; number <= OISP_FILE_ENTRIES; ++number) {
    const oisp_file_key& one = entry(number).report.key;
    if (entry(number).state != OISP_ENTRY_FREE && one.device == key.device && one.inode == key.inode) return number;
  }
  return 0;
}

void FileTable::mark_seen(const oisp_file_key& key) const {
  // The kernel has it on its list, with the file's stamp, where it announced it.
  const std::uint64_t no_stamp = 0;
  (void)::bpf_map_update_elem(kernel_.fd(OISP_PART_SEEN_FILES), &key, &no_stamp, BPF_NOEXIST);
}

void FileTable::mark_unseen(const oisp_file_key& key) const {
  (void)::bpf_map_delete_elem(kernel_.fd(OISP_PART_SEEN_FILES), &key);
}

// An entry for the file, begun: its own, or the next one without probes, or else the last.
std::uint32_t FileTable::claim(const FileAtHand& file) {
  std::uint32_t number = find(file.key);
  for (std::uint32_t i = 1; number == 0 && i < kNoRoom; ++i) {
    victim_ = victim_ % (kNoRoom - 1) + 1;
    if (!is_probed(entry(victim_))) number = victim_;
  }
  if (number == 0) number = kNoRoom;
  if (find(file.key) == number) entry(number).report.key = {};  // so that it stays seen
  release(number);
  oisp_file_entry& claimed = entry(number);
  claimed.state = OISP_ENTRY_BEGUN;
  claimed.report.key = file.key;
  fill_text(claimed.report.name, file.given_name);
  if (file.fd) claimed.content = content_of(file.fd.get());
  mark_seen(file.key);
  return number;
}

void FileTable::finish(std::uint32_t number, std::uint32_t outcome, int error) {
  oisp_file_entry& done = entry(number);
  done.report.outcome = outcome;
  done.report.error = error;
  done.state = OISP_ENTRY_DONE;
  has_news_ = true;
}

bool FileTable::is_done(const FileAtHand& file) const {
  const std::uint32_t number = find(file.key);
  if (number == 0 || !is_probed(entry(number))) return false;
  return !file.fd || content_of(file.fd.get()) == entry(number).content;
}

void FileTable::conclude_failure(const FileAtHand& file, std::uint32_t outcome, int error,
                                 const oisp_scan_answer* answer) {
  // Asked for twice, by a helper and its successor: what was placed stays.
  if (is_done(file)) return;
  const std::uint32_t number = claim(file);
  if (answer != nullptr) fill_text(entry(number).report.reason, view_text(answer->reason));
  finish(number, outcome, error);
  // A later mapping is another chance.
  if (outcome == OISP_FILE_OPEN_FAILED || outcome == OISP_FILE_TABLE_FULL) mark_unseen(file.key);
}

void FileTable::conclude_scan(const FileAtHand& file, const oisp_scan_answer& answer) {
  if (answer.outcome != OISP_SCAN_FOUND) {
    const bool refused = answer.outcome == OISP_SCAN_REFUSED;
    return conclude_failure(file, refused ? OISP_FILE_REFUSED : OISP_FILE_NO_TLS_LIBRARY, 0, &answer);
  }
  if (is_done(file)) return;
  if (answer.site_count == 0 || answer.site_count > OISP_SCAN_MOST_SITES) {
    return conclude_failure(file, OISP_FILE_SCAN_FAILED, EBADMSG);
  }
  const std::uint32_t number = claim(file);
  if (number == kNoRoom) return conclude_failure(file, OISP_FILE_TABLE_FULL, 0);
  oisp_file_report& report = entry(number).report;
  report.file = number;
  report.sites = answer.site_count;
  fill_text(report.family, view_text(answer.family));
  const Status placed = place_probes(number, file.fd.get(), answer);
  if (placed) return finish(number, OISP_FILE_PROBED, 0);
  log_debug("%s", placed.error().text().c_str());
  release(number);
  conclude_failure(file, OISP_FILE_ATTACH_FAILED, placed.error().error);
}

Status FileTable::write_slot(std::uint32_t slot, const oisp_site_slot& value) const {
  const int error = ::bpf_map_update_elem(kernel_.fd(OISP_PART_SITE_SLOTS), &slot, &value, BPF_ANY);
  if (error != 0) return errno_fault("write a site slot");
  return Done{};
}

Status FileTable::attach(std::uint32_t number, int file, const std::vector<ProbePoint>& points, bool at_return) const {
  const int program = kernel_.fd(at_return ? OISP_PART_SITE_RETURN : OISP_PART_SITE_ENTRY);
  auto links = attach_uprobes(kernel_.control().uprobes, program, file, points, at_return);
  if (!links) return links.error();
  for (const OwnedFd& link : *links) tell_launcher(OrderKind::keep, OISP_PART_LINKS + number, link.get());
  return Done{};
}

Status FileTable::place_probes(std::uint32_t number, int file, const oisp_scan_answer& answer) const {
  std::vector<ProbePoint> entries;
  std::vector<ProbePoint> returns;
  for (std::uint32_t i = 0; i < answer.site_count; ++i) {
    const oisp_site& site = answer.sites[i];
    if (!is_site_sound(file, site)) return Fault{.what = "compare a site", .error = EILSEQ};
    const std::uint32_t slot = first_slot(number) + i;
    OISP_TRY(write_slot(slot, {.site = site, .file = number, .in_use = 1}));
    entries.push_back({.offset = site.offset, .cookie = slot});
    if ((site.flags & OISP_SITE_HAS_RETURN) != 0) returns.push_back(entries.back());
  }
  // Returns first: a call whose entry is seen then has its return seen too.
  OISP_TRY(attach(number, file, returns, true));
  return attach(number, file, entries, false);
}

void FileTable::release(std::uint32_t number) {
  oisp_file_entry& gone = entry(number);
  if (gone.state == OISP_ENTRY_FREE) return;
  gone.state = OISP_ENTRY_BEGUN;  // should this process die in here
  tell_launcher(OrderKind::forget, OISP_PART_LINKS + number);
  for (std::uint32_t i = 0; i < gone.report.sites; ++i) (void)write_slot(first_slot(number) + i, {});
  mark_unseen(gone.report.key);
  gone = {};
}

void FileTable::forget_unused(const oisp_file_key& key) {
  const std::uint32_t number = find(key);
  if (number != 0 && entry(number).report.name[0] == '\0') release(number);
}

const oisp_file_report* FileTable::next_report() {
  for (std::uint32_t number = 1; has_news_ && number <= OISP_FILE_ENTRIES; ++number) {
    if (entry(number).state != OISP_ENTRY_DONE || entry(number).told != 0) continue;
    entry(number).told = 1;
    return &entry(number).report;
  }
  has_news_ = false;
  return nullptr;
}

void FileTable::report_all() {
  for (std::uint32_t number = 1; number <= OISP_FILE_ENTRIES; ++number) entry(number).told = 0;
  has_news_ = true;
}

}  // namespace oisp
