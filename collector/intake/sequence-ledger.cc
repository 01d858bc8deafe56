#include "collector/intake/sequence-ledger.h"

namespace oisp {

void SequenceLedger::note(std::uint32_t family, std::uint32_t cpu, std::uint64_t sequence) {
  auto& lines = lines_[family];
  if (cpu >= lines.size()) lines.resize(cpu + 1);
  Line& line = lines[cpu];
  if (!line.known) {
    line.known = true;
    line.next = from_start_ ? 0 : sequence;
  }
  ++seen_[family];
  if (sequence >= line.next) {
    holes_[family] += sequence - line.next;
    line.next = sequence + 1;
  } else if (holes_[family] > 0) {
    // A program was interrupted between taking its number and reserving: it fills its own hole.
    --holes_[family];
  }
}

void SequenceLedger::begin_again() {
  for (auto& lines : lines_) lines.clear();
  seen_ = {};
  holes_ = {};
  from_start_ = true;
}

}  // namespace oisp
