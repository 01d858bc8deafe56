// The instructions are all of one size, and few of them matter here: they are read by their encoding
// (Arm Architecture Reference Manual, C4.1), without a disassembler.
#include <cstring>

#include "elf-scanner/frame.h"

namespace oisp {
namespace {

constexpr std::uint8_t kStackPointer = 31;  // or the zero register, as the instruction has it

// Bits of an instruction word, from `from` on.
std::uint32_t bits(std::uint32_t word, unsigned from, unsigned count) { return word >> from & ((1u << count) - 1); }

std::uint64_t signed_bits(std::uint32_t word, unsigned from, unsigned count) {
  const std::uint64_t top = std::uint64_t{word} << (64 - from - count);
  return static_cast<std::uint64_t>(static_cast<std::int64_t>(top) >> (64 - count));
}

class Effect {
 public:
  Effect(std::uint32_t word, std::uint64_t address, Frame& frame, Step& step)
      : word_(word), address_(address), frame_(frame), step_(step) {}

  // The classes of instructions that are no branches, by bits 25-28.
  void apply() {
    const std::uint32_t group = bits(word_, 25, 4);
    if ((group & 0b1110) == 0b1000) return immediate();
    if ((group & 0b0101) == 0b0100) return memory();
    if ((group & 0b0111) == 0b0101) return registers();
    if ((group & 0b0111) == 0b0111) return vector();
    if ((word_ & 0xfff00000) == 0xd5300000) set(target(), {});  // mrs
  }

 private:
  [[nodiscard]] std::uint32_t target() const { return word_ & 31; }
  [[nodiscard]] std::uint32_t base() const { return bits(word_, 5, 5); }
  [[nodiscard]] bool is_wide() const { return (word_ >> 31) != 0; }

  void note_use(std::uint32_t reg) {
    const Fact& fact = frame_.reg(reg);
    if (fact.kind == Fact::Kind::argument || fact.kind == Fact::Kind::argument_low) {
      step_.arguments_read = static_cast<std::uint8_t>(step_.arguments_read | 1u << fact.argument);
    }
  }
  // A register as an operand, where 31 is zero.
  [[nodiscard]] Fact value(std::uint32_t reg) const {
    return reg == kStackPointer ? Fact{.kind = Fact::Kind::constant} : frame_.reg(reg);
  }
  void set(std::uint32_t reg, Fact fact) {
    if (reg != kStackPointer) frame_.set(reg, fact);
  }
  static Fact moved_by(Fact fact, std::uint64_t distance) {
    if (fact.kind != Fact::Kind::stack && fact.kind != Fact::Kind::constant) return distance == 0 ? fact : Fact{};
    fact.value += distance;
    return fact;
  }

  void immediate() {
    if ((word_ & 0x1f000000) == 0x10000000) return address();
    if ((word_ & 0x1f800000) == 0x11000000) return add();
    if ((word_ & 0x1f800000) == 0x12800000) return move_wide();
    note_use(base());
    set(target(), {});
  }

  // adr, adrp
  void address() {
    const std::uint64_t distance = signed_bits(word_, 5, 19) * 4 + bits(word_, 29, 2);
    const std::uint64_t value = is_wide() ? (address_ & ~std::uint64_t{0xfff}) + (distance << 12) : address_ + distance;
    set(target(), {.kind = Fact::Kind::constant, .value = value});
  }

  // add, sub; with flags (cmp) or without, which alone can change the stack pointer
  void add() {
    note_use(base());
    std::uint64_t amount = bits(word_, 10, 12);
    if (bits(word_, 22, 1) != 0) amount <<= 12;
    if (bits(word_, 30, 1) != 0) amount = 0 - amount;
    Fact fact = moved_by(frame_.reg(base()), amount);
    if (!is_wide()) fact = low_half(fact);
    if (bits(word_, 29, 1) != 0) return set(target(), fact);
    frame_.set(target(), fact);
  }

  // movz, movn, movk
  void move_wide() {
    const unsigned shift = bits(word_, 21, 2) * 16;
    const std::uint64_t part = std::uint64_t{bits(word_, 5, 16)} << shift;
    Fact fact{.kind = Fact::Kind::constant, .value = part};
    switch (bits(word_, 29, 2)) {
      case 0:
        fact.value = ~part;
        break;
      case 2:
        break;
      default: {
        const Fact before = value(target());
        if (before.kind != Fact::Kind::constant) return set(target(), {});
        fact.value = (before.value & ~(std::uint64_t{0xffff} << shift)) | part;
      }
    }
    set(target(), is_wide() ? fact : low_half(fact));
  }

  void registers() {
    const std::uint32_t other = bits(word_, 16, 5);
    if ((word_ & 0x7fe0ffe0) == 0x2a0003e0) {  // mov
      note_use(other);
      return set(target(), is_wide() ? value(other) : low_half(value(other)));
    }
    note_use(base());
    note_use(other);
    const bool is_compare = (word_ & 0x1fe00000) == 0x1a400000;  // ccmp: its target is a number
    if (!is_compare) set(target(), {});
  }

  // Vector instructions that move to general registers.
  void vector() {
    const bool from_scalar = (word_ & 0x5f20fc00) == 0x1e200000;
    const bool from_lane = (word_ & 0xbfe0ec00) == 0x0e002c00;
    if (from_scalar || from_lane) set(target(), {});
  }

  // Loads and stores.

  void memory() {
    if ((word_ & 0x3a000000) == 0x28000000) return pair();
    if ((word_ & 0x3b000000) == 0x39000000) return single(std::uint64_t{bits(word_, 10, 12)} << size_shift(), 0);
    if ((word_ & 0x3b200000) == 0x38000000) return single(signed_bits(word_, 12, 9), bits(word_, 10, 2));
    if ((word_ & 0x3b000000) == 0x18000000) return set(target(), {});  // from beside the code
    // By a register's distance, exclusive, atomic: what is read is unknown, and it may write.
    note_use(base());
    const bool by_register = (word_ & 0x3b200c00) == 0x38200800;
    const bool loads = bits(word_, 22, by_register ? 2 : 1) != 0;
    if (!loads) note_use(target());
    const bool is_atomic = (word_ & 0x3b200c00) == 0x38200000;
    if (!loads || is_atomic) note_store(frame_.reg(base()), 0, {});
    if (!is_vector()) set(target(), {});
    if ((word_ & 0x3f000000) == 0x08000000) set(bits(word_, 16, 5), {});  // the status, or what is compared
  }

  [[nodiscard]] bool is_vector() const { return bits(word_, 26, 1) != 0; }
  [[nodiscard]] unsigned size_shift() const {
    const bool is_16_bytes = is_vector() && bits(word_, 30, 2) == 0 && bits(word_, 23, 1) != 0;
    return is_16_bytes ? 4 : bits(word_, 30, 2);
  }

  // `order`: 0 no change of the base, 1 the distance is added to it behind the access, 3 before it.
  void single(std::uint64_t distance, std::uint32_t order) {
    note_use(base());
    const Fact start = frame_.reg(base());
    const std::uint64_t at = order == 1 ? 0 : distance;
    const unsigned bytes = 1u << size_shift();
    if ((bits(word_, 22, 2) & (is_vector() ? 1u : 3u)) == 0) {
      access(true, target(), start, at, bytes);
    } else {
      access(false, target(), start, at, bits(word_, 23, 1) != 0 ? 1 : bytes);  // with sign: not followed
    }
    if (order == 1 || order == 3) frame_.set(base(), moved_by(start, distance));
  }

  void pair() {
    note_use(base());
    const std::uint32_t size = bits(word_, 30, 2);
    const unsigned bytes = is_vector() ? 4u << size : (size == 2 ? 8 : 4);
    const std::uint64_t distance = signed_bits(word_, 15, 7) * bytes;
    const std::uint32_t order = bits(word_, 23, 2);
    const Fact start = frame_.reg(base());
    const std::uint64_t at = order == 1 ? 0 : distance;
    const bool stores = bits(word_, 22, 1) == 0;
    access(stores, target(), start, at, bytes);
    access(stores, bits(word_, 10, 5), start, at + bytes, bytes);
    if (order == 1 || order == 3) frame_.set(base(), moved_by(start, distance));
  }

  void access(bool stores, std::uint32_t reg, const Fact& start, std::uint64_t at, unsigned bytes) {
    if (stores) {
      Fact fact = is_vector() ? Fact{} : value(reg);
      if (!is_vector()) note_use(reg);
      if (bytes == 4) fact = low_half(fact);
      return note_store(start, at, bytes >= 4 ? fact : Fact{});
    }
    if (is_vector()) return;
    if (start.kind != Fact::Kind::stack || bytes < 4) return set(reg, {});
    const Fact fact = frame_.load(start.value + at);
    set(reg, bytes == 8 ? fact : low_half(fact));
  }

  void note_store(const Fact& start, std::uint64_t at, Fact fact) {
    if (start.kind == Fact::Kind::stack) return frame_.store(start.value + at, fact);
    step_.stores_to_heap = true;
  }

  std::uint32_t word_;
  std::uint64_t address_;
  Frame& frame_;
  Step& step_;
};

// What kind a word is, and where it leads; plain where it does not.
Step classify(std::uint32_t word, std::uint64_t address) {
  Step step{.kind = Step::Kind::plain, .size = 4};
  const auto leads = [&](Step::Kind kind, unsigned from, unsigned count) {
    step.kind = kind;
    step.target = address + signed_bits(word, from, count) * 4;
  };
  if ((word & 0x7c000000) == 0x14000000) {  // b, bl
    leads((word >> 31) != 0 ? Step::Kind::call : Step::Kind::jump, 0, 26);
  } else if ((word & 0xff000010) == 0x54000000 || (word & 0x7e000000) == 0x34000000) {  // b.cond, cbz, cbnz
    leads(Step::Kind::branch, 5, 19);
  } else if ((word & 0x7e000000) == 0x36000000) {  // tbz, tbnz
    leads(Step::Kind::branch, 5, 14);
  } else if ((word & 0xfe000000) == 0xd6000000) {  // by a register; br, blr, ret with their signed kin
    const std::uint32_t operation = bits(word, 21, 2);
    step.kind = operation == 0 ? Step::Kind::jump : operation == 1 ? Step::Kind::call : Step::Kind::end;
  } else if ((word & 0xff000000) == 0xd4000000 && bits(word, 21, 3) != 0) {  // brk, hlt; but not svc
    step.kind = Step::Kind::end;
  }
  return step;
}

}  // namespace

std::optional<Step> step_aarch64(const ElfImage& image, std::uint64_t address, Frame* frame) {
  const auto code = image.code_at(address, 4);
  std::uint32_t word = 0;
  if (code.size() < sizeof word || address % sizeof word != 0) return std::nullopt;
  std::memcpy(&word, code.data(), sizeof word);
  if (bits(word, 25, 4) < 4) return std::nullopt;  // not given out (udf), or of an extension
  Step step = classify(word, address);
  if (step.kind == Step::Kind::plain && frame != nullptr) Effect(word, address, *frame, step).apply();
  return step;
}

}  // namespace oisp
