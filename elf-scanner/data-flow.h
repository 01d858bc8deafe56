// Follows a function's arguments from its entry to the calls that it makes, to prove that a call has
// them in place. x86-64 only.
//
// What cannot be followed for certain ends the analysis with `complete` = false, and the caller then
// uses the exported entry: slower, never wrong.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "elf-scanner/decoder.h"
#include "elf-scanner/elf-image.h"

namespace oisp {

// General registers in the encoding's order, as oisp_argument counts them.
inline constexpr std::uint8_t kRax = 0, kRcx = 1, kRdx = 2, kRbx = 3, kRsp = 4, kRbp = 5, kRsi = 6, kRdi = 7, kR8 = 8,
                              kR9 = 9, kR11 = 11;

struct Value {
  enum class Kind : std::uint8_t {
    unknown,
    argument,       // as the function got it in register `origin`
    argument_low,   // the low 32 bits of that, extended
    stack_address,  // somewhere in the stack frame of the function or its caller
  };
  Kind kind = Kind::unknown;
  std::uint8_t origin = 0;
};

using Registers = std::array<Value, kRegisters>;

// At a function's entry: each register holds itself.
Registers entry_registers();

// A call or tail jump to a place in this file whose first three arguments are the function's own.
struct PassingCall {
  std::uint64_t target = 0;  // linkage stubs are resolved where they lead into this file
  Registers registers{};
};

struct PassingCalls {
  std::array<PassingCall, kMostCalls> calls{};
  std::size_t count = 0;
  bool complete = false;  // every path was followed to its end, and no call went through a pointer

  [[nodiscard]] std::span<const PassingCall> all() const { return std::span(calls).first(count); }
};

PassingCalls find_passing_calls(const ElfImage& image, Decoder& decoder, Function function, const Registers& at_entry);

// Whether the code of `function` has a direct call or jump (or one through a linkage stub) to
// `target`. Both machines.
bool calls_function(const ElfImage& image, Decoder& decoder, Function function, std::uint64_t target);

}  // namespace oisp
