#include "collector/correlate/file-trust.h"

#include "bpf/shared-maps.h"
#include "collector/limits.h"

namespace oisp {
namespace {

bool is_exchange(Look asks, Look answers) { return asks == Look::request && answers == Look::response; }

}  // namespace

std::string_view trust_word(Trust trust) {
  switch (trust) {
    case Trust::unproven:
      return "unproven";
    case Trust::trusted:
      return "trusted";
    case Trust::distrusted:
      return "distrusted";
  }
  return "";
}

// TLS in TLS begins with a record too, and a protocol may encrypt for itself: a handshake that was seen excuses them.
Behaviour behaviour_of(const StreamEvidence& evidence) {
  if (evidence.overrun) return {.is_clear = true, .broken = "calls that moved more than they were asked to"};
  if (is_exchange(evidence.written, evidence.read) || is_exchange(evidence.read, evidence.written)) {
    return {.is_clear = true, .broken = {}};
  }
  if (evidence.handshake_done) return {};
  if (evidence.read == Look::tls_record || evidence.written == Look::tls_record) {
    return {.is_clear = true, .broken = "TLS records instead of plaintext, and no handshake"};
  }
  if (evidence.joined_late) return {};
  if (evidence.read == Look::random || evidence.written == Look::random) {
    return {.is_clear = true, .broken = "what looks encrypted instead of plaintext, and no handshake"};
  }
  if (evidence.unreadable) return {.is_clear = true, .broken = "addresses where no plaintext is"};
  return {};
}

std::uint32_t FileTrust::file_of(std::uint32_t site) { return site / OISP_FILE_SITES + 1; }

void FileTrust::on_file(const FileReport& report) {
  if (report.outcome != FileOutcome::probed || report.file == 0 || report.file > OISP_FILE_ENTRIES) return;
  const FileKey key{report.key.device, report.key.inode};
  numbers_[report.file] = key;
  // What was seen of it before it was told of.
  auto early = trials_.extract({0, report.file});
  if (early.empty() || trials_.contains(key)) return;
  early.key() = key;
  trials_.insert(std::move(early));
}

void FileTrust::forget_numbers() { numbers_.clear(); }

oisp_file_key FileTrust::key_of(std::uint32_t file) const {
  const auto found = numbers_.find(file);
  if (found == numbers_.end()) return {.device = 0, .inode = file};
  return {.device = found->second.first, .inode = found->second.second};
}

bool FileTrust::add(std::uint32_t file, const Behaviour& behaviour) {
  if (!behaviour.is_clear || file == 0 || file > OISP_FILE_ENTRIES) return false;
  const oisp_file_key key = key_of(file);
  if (trials_.size() >= limits::kMostFiles && !trials_.contains({key.device, key.inode})) return false;
  Trial& trial = trials_[{key.device, key.inode}];
  if (trial.trust != Trust::unproven) return false;
  if (behaviour.broken.empty()) {
    trial.trust = Trust::trusted;
    return false;
  }
  trial.reason = behaviour.broken;
  if (++trial.failures < limits::kMostFailures) return false;
  trial.trust = Trust::distrusted;
  return true;
}

Trust FileTrust::of(std::uint32_t file) const { return of(key_of(file)); }

Trust FileTrust::of(const oisp_file_key& key) const {
  const auto found = trials_.find({key.device, key.inode});
  return found == trials_.end() ? Trust::unproven : found->second.trust;
}

std::string_view FileTrust::reason(const oisp_file_key& key) const {
  const auto found = trials_.find({key.device, key.inode});
  return found == trials_.end() ? std::string_view() : found->second.reason;
}

}  // namespace oisp
