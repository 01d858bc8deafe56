// The ledger of records: a number was given to each one (per family and CPU) before the ring was asked
// for space, so what did not fit shows as a hole.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "bpf/records.h"

namespace oisp {

class SequenceLedger {
 public:
  // `from_start`: this is the first collector of a session, so numbers begin at 0. Otherwise what lies
  // before the first number seen belongs to the collector that was there before.
  explicit SequenceLedger(bool from_start) : from_start_(from_start) {}

  void note(std::uint32_t family, std::uint32_t cpu, std::uint64_t sequence);
  // The helper loaded new programs: numbers and counts begin again.
  void begin_again();

  [[nodiscard]] std::uint64_t seen(std::uint32_t family) const { return seen_[family]; }
  [[nodiscard]] std::uint64_t holes(std::uint32_t family) const { return holes_[family]; }
  [[nodiscard]] bool from_start() const { return from_start_; }

 private:
  struct Line {
    std::uint64_t next = 0;
    bool known = false;
  };
  bool from_start_;
  std::array<std::vector<Line>, OISP_FAMILY_COUNT> lines_;  // by CPU
  std::array<std::uint64_t, OISP_FAMILY_COUNT> seen_{};
  std::array<std::uint64_t, OISP_FAMILY_COUNT> holes_{};
};

}  // namespace oisp
