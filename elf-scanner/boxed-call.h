// A call of a method of an object that another one keeps in a box (Rust's Box<dyn Trait>), with a number
// that is kept beside it: how a TLS record layer encrypts and decrypts. x86-64 only.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "elf-scanner/error-sites.h"
#include "elf-scanner/frame.h"

namespace oisp {

// Where in its keeper a box lies (its object's address, then its methods'), and the number.
struct BoxPlace {
  std::uint64_t box = 0;
  std::uint64_t number = 0;  // never 0: a box comes first

  bool operator==(const BoxPlace&) const = default;
};

// A place, and the registers that hold there what a probe needs.
struct BoxedArguments {
  std::uint64_t address = 0;
  std::uint8_t keeper = 0;
  std::uint8_t message = 0;
  std::uint8_t number = 0;
};

// method(result, object, message, number), where object, method and number come from the keeper, and the
// number is then written back to it.
struct BoxedCall {
  std::uint64_t address = 0;
  std::uint64_t end = 0;  // of the call
  BoxPlace place;
  // A register that holds the keeper's address when the call is made.
  std::optional<std::uint8_t> keeper;
  // The last place before the call, with one way only from there to it, where the keeper is in a register.
  std::optional<BoxedArguments> before;
};

class BoxedCalls {
 public:
  BoxedCalls(const ElfImage& image, Decoder& decoder, Budget& budget)
      : image_(image), decoder_(decoder), budget_(budget) {}

  // Calls visit(call) for each in `function` that begins in [from, to). Each instruction from the
  // function's beginning on is decoded, so that a call is an instruction.
  template <typename Visit>
  void for_each(Function function, std::uint64_t from, std::uint64_t to, Visit&& visit) {
    function_ = function;
    count_ = 0;
    next_ = function.address;
    while (next_ < to && next_ - function.address < function.size && advance()) {
      if (!is_indirect_ || window_[count_ - 1] < from) continue;
      if (const auto call = prove()) visit(*call);
    }
  }

 private:
  // Instructions before a call that may prepare it, and behind it until the number is written back.
  static constexpr std::size_t kMostPreparing = 40;
  static constexpr std::size_t kMostBehind = 48;
  static constexpr std::size_t kMostBranches = 4;

  [[nodiscard]] bool advance();
  [[nodiscard]] std::optional<BoxedCall> prove();
  [[nodiscard]] std::optional<BoxedCall> prove_from(std::size_t first);
  [[nodiscard]] bool is_counted_behind(const BoxedCall& call, const Frame& at_call);
  void find_before(std::size_t first, const Frame& at_call, std::uint8_t keeper, BoxedCall& call);
  [[nodiscard]] bool is_entered(std::uint64_t after, std::uint64_t until);

  const ElfImage& image_;
  Decoder& decoder_;
  Budget& budget_;
  Function function_;
  std::uint64_t next_ = 0;
  bool is_indirect_ = false;  // the last one may call a method
  // The last instructions, one behind the other, without a jump away between them.
  std::array<std::uint64_t, kMostPreparing> window_{};
  std::size_t count_ = 0;
};

}  // namespace oisp
