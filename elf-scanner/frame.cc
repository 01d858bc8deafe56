#include "elf-scanner/frame.h"

#include <algorithm>
#include <span>

#include "elf-scanner/data-flow.h"

namespace oisp {
namespace {

constexpr std::array<std::uint8_t, Frame::kArguments> kSystemV = {kRdi, kRsi, kRdx, kRcx, kR8, kR9};
constexpr std::uint32_t kUnkeptX86 = 1u << kRax | 1u << kRcx | 1u << kRdx | 1u << kRsi | 1u << kRdi | 0xf00;
constexpr std::array<std::uint8_t, 6> kKeptX86 = {kRbx, kRbp, 12, 13, 14, 15};
// x0-x18 and the link register.
constexpr std::uint32_t kUnkeptAarch64 = 0x4007ffff;
constexpr std::size_t kStackPointerAarch64 = 31;

}  // namespace

Fact low_half(Fact fact) {
  switch (fact.kind) {
    case Fact::Kind::constant:
      return {.kind = Fact::Kind::constant, .value = fact.value & 0xffffffff};
    case Fact::Kind::result:
      return fact;
    case Fact::Kind::argument:
    case Fact::Kind::argument_low:
      return {.kind = Fact::Kind::argument_low, .argument = fact.argument};
    default:
      return {};
  }
}

std::uint8_t Frame::argument_register(Machine machine, std::size_t number) {
  return machine == Machine::x86_64 ? kSystemV[number] : static_cast<std::uint8_t>(number);
}

Frame Frame::at_entry(Machine machine) {
  Frame frame;
  for (std::uint8_t i = 0; i < kArguments; ++i) {
    frame.set(argument_register(machine, i), {.kind = Fact::Kind::argument, .argument = i});
  }
  frame.set(machine == Machine::x86_64 ? kRsp : kStackPointerAarch64, {.kind = Fact::Kind::stack});
  return frame;
}

Fact Fact::load_through(const Fact& base, std::uint64_t distance) {
  constexpr std::uint8_t kMostStepsFollowed = 3;
  constexpr std::uint64_t kMostDistance = 0xffff;
  const bool begins = base.kind == Kind::argument;
  const bool goes_on = base.kind == Kind::loaded && base.steps < kMostStepsFollowed;
  if (distance > kMostDistance || (!begins && !goes_on)) return {};
  return {.kind = Kind::loaded,
          .argument = base.argument,
          .steps = static_cast<std::uint8_t>(base.steps + 1),
          .value = base.value << 16 | distance};
}

Frame Frame::anywhere() {
  Frame frame;
  for (std::uint8_t reg = 0; reg < kRegisters; ++reg) {
    frame.set(reg, {.kind = Fact::Kind::argument, .argument = static_cast<std::uint8_t>(Fact::kKept + reg)});
  }
  frame.set(kRsp, {.kind = Fact::Kind::stack});
  frame.follow_loads();
  return frame;
}

Frame Frame::behind_call() {
  Frame frame;
  for (const std::uint8_t reg : kKeptX86) {
    frame.set(reg, {.kind = Fact::Kind::argument, .argument = static_cast<std::uint8_t>(Fact::kKept + reg)});
  }
  frame.set(kRax, {.kind = Fact::Kind::result});
  frame.set(kRsp, {.kind = Fact::Kind::stack});
  frame.follow_loads();
  return frame;
}

Fact Frame::load(std::uint64_t place) const {
  const auto slots = std::span(slots_).first(slot_count_);
  const auto found = std::find_if(slots.begin(), slots.end(), [&](const Slot& slot) { return slot.place == place; });
  return found == slots.end() ? Fact{} : found->fact;
}

void Frame::store(std::uint64_t place, Fact fact) {
  constexpr std::uint64_t kSlotBytes = 8;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < slot_count_; ++i) {
    const bool overlaps = slots_[i].place - place + (kSlotBytes - 1) < 2 * kSlotBytes - 1;
    if (!overlaps) slots_[kept++] = slots_[i];
  }
  slot_count_ = kept;
  if (fact.kind != Fact::Kind::unknown && slot_count_ < slots_.size()) slots_[slot_count_++] = {place, fact};
}

void Frame::forget_unkept(Machine machine) {
  const std::uint32_t unkept = machine == Machine::x86_64 ? kUnkeptX86 : kUnkeptAarch64;
  for (std::size_t i = 0; i < registers_.size(); ++i) {
    if ((unkept >> i & 1) != 0) registers_[i] = {};
  }
}

void Frame::forget_constants() {
  const auto forget = [](Fact& fact) {
    if (fact.kind == Fact::Kind::constant) fact = {};
  };
  for (Fact& fact : registers_) forget(fact);
  for (Slot& slot : std::span(slots_).first(slot_count_)) forget(slot.fact);
}

std::uint64_t Frame::hash() const {
  std::uint64_t sum = 0;
  const auto add = [&sum](std::uint64_t name, const Fact& fact) {
    if (fact.kind == Fact::Kind::unknown) return;
    const std::uint64_t form =
        static_cast<std::uint64_t>(fact.kind) << 12 | std::uint64_t{fact.steps} << 8 | fact.argument;
    std::uint64_t mixed = (name << 20 | form) ^ fact.value << 24;
    mixed = (mixed ^ mixed >> 31) * 0x9e3779b97f4a7c15;
    mixed = (mixed ^ mixed >> 29) * 0xbf58476d1ce4e5b9;
    sum += mixed ^ mixed >> 32;  // a sum: slots have no order
  };
  for (std::size_t i = 0; i < registers_.size(); ++i) add(i, registers_[i]);
  for (std::size_t i = 0; i < slot_count_; ++i) add(slots_[i].place + kMostRegisters, slots_[i].fact);
  return sum;
}

}  // namespace oisp
