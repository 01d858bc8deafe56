#include "probe-helper/file-table.h"

#include <bpf/bpf.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>

#include "base/clock.h"
#include "base/log.h"
#include "base/text-array.h"

namespace oisp {
namespace {

std::uint64_t now_ns() { return static_cast<std::uint64_t>(read_clock_ns(CLOCK_BOOTTIME)); }

std::string link_name(std::uint32_t number, bool at_return, std::size_t index) {
  return "link:file:" + std::to_string(number) + (at_return ? ":return:" : ":entry:") + std::to_string(index);
}

bool is_probed(const oisp_file_entry& entry) {
  return entry.in_use != 0 && entry.alias_of == 0 && entry.outcome == static_cast<std::uint32_t>(FileOutcome::probed);
}

std::uint64_t changed_ns(const struct stat& status) {
  return static_cast<std::uint64_t>(status.st_mtim.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(status.st_mtim.tv_nsec);
}

// The same inode with the same content, as far as can be told without reading it.
bool is_same(const oisp_file_entry& entry, const struct stat& status) {
  return entry.stat_device == status.st_dev && entry.stat_inode == status.st_ino &&
         entry.stat_bytes == static_cast<std::uint64_t>(status.st_size) && entry.stat_changed_ns == changed_ns(status);
}

bool has_changed(const oisp_file_entry& entry, const PendingFile& file) {
  struct stat status {};
  return file.fd && ::fstat(file.fd.get(), &status) == 0 && !is_same(entry, status);
}

std::uint32_t first_slot(std::uint32_t number) { return (number - 1) * OISP_FILE_SITES; }

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

FileTable::FileTable(const KernelSide& kernel, const UprobeKind& kind, Store store)
    : kernel_(kernel), kind_(kind), store_(store), entries_(OISP_FILE_ENTRIES), due_(OISP_FILE_ENTRIES) {}

void FileTable::adopt(const std::set<std::string>& links) {
  std::set<std::string> owned;
  for (std::uint32_t number = 1; number <= OISP_FILE_ENTRIES; ++number) {
    const std::uint32_t index = number - 1;
    (void)::bpf_map_lookup_elem(kernel_.fd(Kept::file_table), &index, &entries_[index]);
    if (!is_probed(entry(number))) continue;
    for (std::size_t i = 0; i < entry(number).entry_links; ++i) owned.insert(link_name(number, false, i));
    for (std::size_t i = 0; i < entry(number).return_links; ++i) owned.insert(link_name(number, true, i));
  }
  for (const std::string& name : links) {
    if (name.starts_with("link:file:") && !owned.contains(name)) store_.request_forget(name);
  }
  // What was announced and never concluded died with the earlier helper: it is announced again.
  oisp_file_key key{};
  std::vector<oisp_file_key> unknown;
  for (const oisp_file_key* last = nullptr;
       ::bpf_map_get_next_key(kernel_.fd(Kept::seen_files), last, &key) == 0 && unknown.size() < 65536; last = &key) {
    if (!knows(key)) unknown.push_back(key);
  }
  for (const oisp_file_key& one : unknown) mark_unseen(one);
  report_all();
}

std::uint32_t FileTable::find(const oisp_file_key& key) const {
  for (std::uint32_t number = 1; number <= OISP_FILE_ENTRIES; ++number) {
    const oisp_file_entry& one = entry(number);
    if (one.in_use != 0 && one.key.device == key.device && one.key.inode == key.inode) return number;
  }
  return 0;
}

void FileTable::mark_unseen(const oisp_file_key& key) const {
  (void)::bpf_map_delete_elem(kernel_.fd(Kept::seen_files), &key);
}

std::uint64_t FileTable::last_hit_ns(std::uint32_t number) const {
  std::uint64_t last = entry(number).added_ns;
  for (std::uint32_t i = 0; i < entry(number).site_count; ++i) {
    oisp_site_slot slot{};
    const std::uint32_t index = first_slot(number) + i;
    if (::bpf_map_lookup_elem(kernel_.fd(Kept::site_slots), &index, &slot) == 0) {
      last = std::max<std::uint64_t>(last, slot.last_hit_ns);
    }
  }
  return last;
}

// Files without probes first, the oldest of them; then those whose probes rested longest.
std::uint32_t FileTable::choose_victim() const {
  std::uint32_t victim = 1;
  std::pair<bool, std::uint64_t> least{true, UINT64_MAX};
  for (std::uint32_t number = 1; number <= OISP_FILE_ENTRIES; ++number) {
    const bool probed = is_probed(entry(number));
    const std::pair<bool, std::uint64_t> rank{probed, probed ? last_hit_ns(number) : entry(number).added_ns};
    if (rank < least) {
      least = rank;
      victim = number;
    }
  }
  return victim;
}

std::uint32_t FileTable::claim(const PendingFile& file) {
  std::uint32_t number = find(file.key);
  if (number != 0) entry(number).key = {};  // so that it stays seen
  for (std::uint32_t free = 1; number == 0 && free <= OISP_FILE_ENTRIES; ++free) {
    if (entry(free).in_use == 0) number = free;
  }
  if (number == 0) number = choose_victim();
  release(number);
  oisp_file_entry& claimed = entry(number);
  claimed.key = file.key;
  claimed.in_use = 1;
  claimed.added_ns = now_ns();
  claimed.given = file.tgid == 0 ? 1 : 0;
  struct stat status {};
  if (file.fd.valid() && ::fstat(file.fd.get(), &status) == 0) {
    claimed.stat_device = status.st_dev;
    claimed.stat_inode = status.st_ino;
    claimed.stat_bytes = static_cast<std::uint64_t>(status.st_size);
    claimed.stat_changed_ns = changed_ns(status);
  }
  fill_text(claimed.name, file.name);
  // The kernel has it on its list, with the file's stamp, where it announced it.
  const std::uint64_t no_stamp = 0;
  (void)::bpf_map_update_elem(kernel_.fd(Kept::seen_files), &file.key, &no_stamp, BPF_NOEXIST);
  return number;
}

void FileTable::save(std::uint32_t number) {
  const std::uint32_t index = number - 1;
  (void)::bpf_map_update_elem(kernel_.fd(Kept::file_table), &index, &entries_[index], BPF_ANY);
}

void FileTable::finish(std::uint32_t number, FileOutcome outcome, int error, const std::string& reason) {
  entry(number).outcome = static_cast<std::uint32_t>(outcome);
  entry(number).error = error;
  fill_text(entry(number).reason, reason);
  save(number);
  due_[number - 1] = true;
  log_debug("file %u (%llu:%llu): outcome %d, %u sites", number, entry(number).key.device, entry(number).key.inode,
            static_cast<int>(outcome), entry(number).site_count);
}

bool FileTable::conclude_known(const PendingFile& file) {
  struct stat status {};
  if (::fstat(file.fd.get(), &status) != 0) return false;
  for (std::uint32_t number = 1; number <= OISP_FILE_ENTRIES; ++number) {
    const oisp_file_entry known = entry(number);
    if (!is_probed(known) || !is_same(known, status)) continue;
    if (find(file.key) == number) return true;
    const std::uint32_t alias = claim(file);
    if (alias == number) return false;  // it was the one to make room
    entry(alias).alias_of = number;
    entry(alias).site_count = known.site_count;
    fill_text(entry(alias).family, view_text(known.family));
    finish(alias, FileOutcome::probed, 0, {});
    return true;
  }
  return false;
}

void FileTable::conclude_failure(const PendingFile& file, FileOutcome outcome, int error, const std::string& reason) {
  // Asked for twice, by a helper and its successor: what was placed stays.
  const std::uint32_t known = find(file.key);
  if (known != 0 && is_probed(entry(known)) && !has_changed(entry(known), file)) return;
  finish(claim(file), outcome, error, reason);
  // A later mapping is another chance.
  if (outcome == FileOutcome::open_failed) mark_unseen(file.key);
}

void FileTable::conclude_scan(const PendingFile& file, const oisp_scan_answer& answer) {
  const std::string reason(view_text(answer.reason));
  if (answer.outcome != OISP_SCAN_FOUND) {
    const bool refused = answer.outcome == OISP_SCAN_REFUSED;
    return conclude_failure(file, refused ? FileOutcome::refused : FileOutcome::no_tls_library, 0, reason);
  }
  if (conclude_known(file)) return;
  if (answer.site_count == 0 || answer.site_count > OISP_SCAN_MOST_SITES) {
    return conclude_failure(file, FileOutcome::scan_failed, 0, "the scanner's answer makes no sense");
  }
  const std::uint32_t number = claim(file);
  fill_text(entry(number).family, view_text(answer.family));
  // Until all is in place: what a successor undoes.
  entry(number).outcome = static_cast<std::uint32_t>(FileOutcome::attach_failed);
  save(number);
  if (const Status placed = place_probes(number, file.fd.get(), answer); !placed) {
    const Fault why = placed.error();
    release(number);
    return conclude_failure(file, FileOutcome::attach_failed, why.error, why.what);
  }
  finish(number, FileOutcome::probed, 0, {});
}

Status FileTable::write_slot(std::uint32_t slot, const oisp_site* site, std::uint32_t number) const {
  oisp_site_slot value{};
  if (site != nullptr) {
    value.site = *site;
    value.file = number;
    value.in_use = 1;
  }
  if (::bpf_map_update_elem(kernel_.fd(Kept::site_slots), &slot, &value, BPF_ANY) != 0) {
    return errno_fault("write a site slot");
  }
  return Done{};
}

Result<std::uint32_t> FileTable::attach(std::uint32_t number, int file, const std::vector<ProbePoint>& points,
                                        bool at_return) {
  const int program = kernel_.fd(at_return ? Kept::site_return : Kept::site_entry);
  auto links = attach_uprobes(kind_, program, file, points, at_return);
  if (!links) return links.error();
  for (std::size_t i = 0; i < links->size(); ++i) {
    store_.request_keep(link_name(number, at_return, i), (*links)[i].get());
  }
  return static_cast<std::uint32_t>(links->size());
}

Status FileTable::place_probes(std::uint32_t number, int file, const oisp_scan_answer& answer) {
  struct stat status {};
  if (::fstat(file, &status) != 0) return errno_fault("look at a file");
  std::vector<ProbePoint> entries;
  std::vector<ProbePoint> returns;
  entry(number).site_count = answer.site_count;
  for (std::uint32_t i = 0; i < answer.site_count; ++i) {
    const oisp_site& site = answer.sites[i];
    if (!is_site_sound(file, static_cast<std::uint64_t>(status.st_size), site)) {
      return fault("the file's bytes are not those that were scanned");
    }
    const std::uint32_t slot = first_slot(number) + i;
    OISP_TRY(write_slot(slot, &site, number));
    entries.push_back({.offset = site.offset, .cookie = slot});
    if ((site.flags & OISP_SITE_HAS_RETURN) != 0) returns.push_back({.offset = site.offset, .cookie = slot});
  }
  // Returns first: a call whose entry is seen then has its return seen too.
  auto return_links = attach(number, file, returns, true);
  if (!return_links) return return_links.error();
  entry(number).return_links = *return_links;
  auto entry_links = attach(number, file, entries, false);
  if (!entry_links) return entry_links.error();
  entry(number).entry_links = *entry_links;
  return Done{};
}

void FileTable::release(std::uint32_t number) {
  if (number == 0 || number > OISP_FILE_ENTRIES || entry(number).in_use == 0) return;
  const oisp_file_entry gone = entry(number);
  for (std::size_t i = 0; i < gone.entry_links; ++i) store_.request_forget(link_name(number, false, i));
  for (std::size_t i = 0; i < gone.return_links; ++i) store_.request_forget(link_name(number, true, i));
  if (gone.alias_of == 0) {
    for (std::uint32_t i = 0; i < gone.site_count; ++i) (void)write_slot(first_slot(number) + i, nullptr, 0);
  }
  mark_unseen(gone.key);
  entry(number) = {};
  save(number);
  due_[number - 1] = false;
  for (std::uint32_t other = 1; other <= OISP_FILE_ENTRIES; ++other) {
    if (entry(other).in_use != 0 && entry(other).alias_of == number) release(other);
  }
}

void FileTable::forget_unused(const oisp_file_key& key) {
  const std::uint32_t number = find(key);
  if (number != 0 && entry(number).given == 0) release(number);
}

std::optional<Frame> FileTable::next_report() {
  const auto due = std::find(due_.begin(), due_.end(), true);
  if (due == due_.end()) return {};
  *due = false;
  const auto number = static_cast<std::uint32_t>(due - due_.begin()) + 1;
  const oisp_file_entry& one = entry(number);
  const bool probed = one.outcome == static_cast<std::uint32_t>(FileOutcome::probed);
  return encode_file_report(one, !probed ? 0 : one.alias_of != 0 ? one.alias_of : number);
}

void FileTable::report_all() {
  for (std::size_t i = 0; i < entries_.size(); ++i) due_[i] = entries_[i].in_use != 0;
}

}  // namespace oisp
