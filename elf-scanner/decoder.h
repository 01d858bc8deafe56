// x86-64 instructions by capstone, the one kept library that sees a stranger's code. It allocates
// when it is made (before the sandbox) and never again.
#pragma once

#include <capstone/capstone.h>

#include <cstdint>
#include <optional>
#include <span>

namespace oisp {

class Decoder {
 public:
  // Nothing: no memory, or a library that was built without x86.
  static std::optional<Decoder> make();
  Decoder(Decoder&& other) noexcept;
  Decoder& operator=(Decoder&&) = delete;
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
  ~Decoder();

  // The instruction at the start of `code`, valid until the next call; null where it is unknown or cut.
  const cs_insn* decode(std::span<const std::uint8_t> code, std::uint64_t address);
  // For capstone's own functions on a decoded instruction.
  [[nodiscard]] csh handle() const { return handle_; }

 private:
  Decoder() = default;
  csh handle_ = 0;
  cs_insn* instruction_ = nullptr;
};

// A general register: its number in the encoding's order (rax rcx rdx rbx rsp rbp rsi rdi r8..r15, as
// oisp_argument counts them), and how much of it is named.
inline constexpr std::size_t kRegisters = 16;
struct GeneralRegister {
  std::uint8_t number;
  std::uint8_t bytes;
};
// Nothing: another kind of register, or a part of fewer than 4 bytes.
std::optional<GeneralRegister> general_register(x86_reg reg);

// Where a direct jump or call leads.
std::optional<std::uint64_t> direct_target(const cs_insn& instruction);
[[nodiscard]] bool is_conditional_jump(const cs_insn& instruction);
[[nodiscard]] bool is_endbr64(const cs_insn& instruction);

// Whether the kernel emulates a probed instruction instead of stepping over it (arch/x86/kernel/uprobes.c:
// branch_setup_ops, push_setup_ops): by encoding, as the kernel decides.
[[nodiscard]] bool is_emulated(const cs_insn& instruction);

}  // namespace oisp
