// What is known of the registers and of the stack at one place of a function, and what one instruction
// does to it. The finders of libraries without symbols follow constants and arguments with it.
//
// It is an approximation that proofs are built on, so an instruction that is not understood makes what
// it writes unknown. What a called function or a store through an unknown pointer does to the caller's
// stack is not followed: compilers keep saved arguments where nobody else writes.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "elf-scanner/decoder.h"
#include "elf-scanner/elf-image.h"

namespace oisp {

struct Fact {
  enum class Kind : std::uint8_t {
    unknown,
    constant,      // value
    argument,      // the function's argument with this number (from 0), as it came
    argument_low,  // the low 32 bits of that
    stack,         // the stack pointer at the entry plus value
    loaded,        // what was read through the argument, in so many steps, at the distances in value
    result,        // what the call just before returned
  };
  // From here on an "argument" is a register, as it was where a walk began.
  static constexpr std::uint8_t kKept = 32;

  Kind kind = Kind::unknown;
  std::uint8_t argument = 0;
  std::uint8_t steps = 0;
  std::uint64_t value = 0;  // of loaded: 16 bits for each step, the last one lowest

  bool operator==(const Fact&) const = default;
  // What is read at `base` + `distance`; unknown where that is not followed.
  static Fact load_through(const Fact& base, std::uint64_t distance);
  [[nodiscard]] bool is_argument(std::uint8_t number) const { return kind == Kind::argument && argument == number; }
};

// Of a register whose lower half is written or read: the upper half is then zero.
Fact low_half(Fact fact);

class Frame {
 public:
  static constexpr std::size_t kMostRegisters = 32;
  static constexpr std::uint8_t kArguments = 6;

  // At the entry of a function.
  static Frame at_entry(Machine machine);
  // Anywhere in a function: the registers but the stack pointer are the "arguments". x86-64 only.
  static Frame anywhere();
  // Behind a call: the registers that it kept are the "arguments". x86-64 only.
  static Frame behind_call();
  // Whether what is read through arguments is told apart; it makes more states.
  void follow_loads() { follows_loads_ = true; }
  [[nodiscard]] bool follows_loads() const { return follows_loads_; }

  [[nodiscard]] const Fact& reg(std::size_t number) const { return registers_[number]; }
  void set(std::size_t number, Fact fact) { registers_[number] = fact; }
  // What an argument of a call is, when the call is made.
  [[nodiscard]] const Fact& argument(Machine machine, std::size_t number) const {
    return registers_[argument_register(machine, number)];
  }
  static std::uint8_t argument_register(Machine machine, std::size_t number);

  // Values on the stack, by the distance of their place from the stack pointer at the entry.
  [[nodiscard]] Fact load(std::uint64_t place) const;
  void store(std::uint64_t place, Fact fact);

  // A call may change the registers that the calling convention does not keep.
  void forget_unkept(Machine machine);
  // Forgets all constants: what many paths bring differently says nothing any more.
  void forget_constants();

  [[nodiscard]] std::uint64_t hash() const;

 private:
  struct Slot {
    std::uint64_t place = 0;
    Fact fact;
  };
  static constexpr std::size_t kMostSlots = 12;

  std::array<Fact, kMostRegisters> registers_{};
  std::array<Slot, kMostSlots> slots_{};
  std::size_t slot_count_ = 0;
  bool follows_loads_ = false;
};

struct Step {
  enum class Kind : std::uint8_t {
    plain,
    jump,    // always, or to an unknown place
    branch,  // perhaps
    call,
    end,  // return or trap
  };
  Kind kind = Kind::plain;
  std::uint8_t size = 0;
  bool stores_to_heap = false;  // writes through a pointer that is not the stack's
  Fact store_base{};            // that pointer, and how far from it
  std::uint64_t store_distance = 0;
  std::uint8_t arguments_read = 0;        // a bit for each of the function's own arguments that is used
  std::optional<std::uint64_t> target{};  // of jump, branch and call, where the instruction says it
};

// The instruction at `address`, applied to `frame` unless that is null. Nothing: there is no code, or
// none that is known.
std::optional<Step> step_x86(const ElfImage& image, Decoder& decoder, std::uint64_t address, Frame* frame);
std::optional<Step> step_aarch64(const ElfImage& image, std::uint64_t address, Frame* frame);

inline std::optional<Step> step(const ElfImage& image, Decoder& decoder, std::uint64_t address, Frame* frame) {
  return image.machine() == Machine::x86_64 ? step_x86(image, decoder, address, frame)
                                            : step_aarch64(image, address, frame);
}

}  // namespace oisp
