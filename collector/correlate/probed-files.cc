#include "collector/correlate/probed-files.h"

#include "collector/limits.h"

namespace oisp {

void ProbedFiles::on_file(const FileReport& report, std::uint64_t now_ns) {
  const FileKey key{report.key.device, report.key.inode};
  if (report.outcome != FileOutcome::probed) {
    last_used_ns_.erase(key);
  } else if (last_used_ns_.size() < limits::kMostFiles) {
    last_used_ns_[key] = now_ns;
  }
}

std::vector<oisp_file_key> ProbedFiles::take_unused(const ProcessTable& processes, std::uint64_t now_ns) {
  std::vector<oisp_file_key> unused;
  if (last_used_ns_.empty()) return unused;
  const auto use = [&](const oisp_file_key& file) {
    const auto found = last_used_ns_.find({file.device, file.inode});
    if (found != last_used_ns_.end()) found->second = now_ns;
  };
  for (const auto& [key, process] : processes) {
    if (process.mapped.size() >= limits::kMostMappedFiles) return unused;
    use(process.exe);
    for (const MappedFile& mapped : process.mapped) use(mapped.key);
  }
  std::erase_if(last_used_ns_, [&](const auto& entry) {
    const auto& [key, last_used_ns] = entry;
    if (last_used_ns + limits::kKeepUnusedNs > now_ns || unused.size() >= limits::kMostReleases) return false;
    unused.push_back({.device = key.first, .inode = key.second});
    return true;
  });
  return unused;
}

}  // namespace oisp
