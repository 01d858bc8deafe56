#include "elf-scanner/decoder.h"

#include <array>
#include <utility>

namespace oisp {

std::optional<Decoder> Decoder::make() {
  Decoder decoder;
  if (::cs_open(CS_ARCH_X86, CS_MODE_64, &decoder.handle_) != CS_ERR_OK) return std::nullopt;
  if (::cs_option(decoder.handle_, CS_OPT_DETAIL, CS_OPT_ON) != CS_ERR_OK) return std::nullopt;
  decoder.instruction_ = ::cs_malloc(decoder.handle_);
  if (decoder.instruction_ == nullptr) return std::nullopt;
  // Its tables are built at the first use, which must not come after the sandbox.
  constexpr std::array<std::uint8_t, 1> kReturn = {0xc3};
  if (decoder.decode(kReturn, 0) == nullptr) return std::nullopt;
  return decoder;
}

Decoder::Decoder(Decoder&& other) noexcept
    : handle_(std::exchange(other.handle_, 0)), instruction_(std::exchange(other.instruction_, nullptr)) {}

Decoder::~Decoder() {
  if (instruction_ != nullptr) ::cs_free(instruction_, 1);
  if (handle_ != 0) (void)::cs_close(&handle_);
}

const cs_insn* Decoder::decode(std::span<const std::uint8_t> code, std::uint64_t address) {
  const std::uint8_t* bytes = code.data();
  std::size_t size = code.size();
  if (size == 0 || !::cs_disasm_iter(handle_, &bytes, &size, &address, instruction_)) return nullptr;
  return instruction_;
}

std::optional<GeneralRegister> general_register(x86_reg reg) {
  constexpr std::array<x86_reg, kRegisters> kWide = {
      X86_REG_RAX, X86_REG_RCX, X86_REG_RDX, X86_REG_RBX, X86_REG_RSP, X86_REG_RBP, X86_REG_RSI, X86_REG_RDI,
      X86_REG_R8,  X86_REG_R9,  X86_REG_R10, X86_REG_R11, X86_REG_R12, X86_REG_R13, X86_REG_R14, X86_REG_R15};
  constexpr std::array<x86_reg, kRegisters> kLow = {
      X86_REG_EAX, X86_REG_ECX, X86_REG_EDX,  X86_REG_EBX,  X86_REG_ESP,  X86_REG_EBP,  X86_REG_ESI,  X86_REG_EDI,
      X86_REG_R8D, X86_REG_R9D, X86_REG_R10D, X86_REG_R11D, X86_REG_R12D, X86_REG_R13D, X86_REG_R14D, X86_REG_R15D};
  for (std::uint8_t i = 0; i < kRegisters; ++i) {
    if (kWide[i] == reg) return GeneralRegister{i, 8};
    if (kLow[i] == reg) return GeneralRegister{i, 4};
  }
  return std::nullopt;
}

std::optional<std::uint64_t> direct_target(const cs_insn& instruction) {
  const cs_x86& x86 = instruction.detail->x86;
  if (x86.op_count != 1 || x86.operands[0].type != X86_OP_IMM) return std::nullopt;
  return static_cast<std::uint64_t>(x86.operands[0].imm);
}

bool is_conditional_jump(const cs_insn& instruction) {
  const std::uint8_t first = instruction.bytes[0];
  return (first & 0xf0) == 0x70 || (instruction.size >= 6 && first == 0x0f && (instruction.bytes[1] & 0xf0) == 0x80);
}

bool is_endbr64(const cs_insn& instruction) {
  return instruction.size == 4 && instruction.bytes[0] == 0xf3 && instruction.bytes[1] == 0x0f &&
         instruction.bytes[2] == 0x1e && instruction.bytes[3] == 0xfa;
}

bool is_emulated(const cs_insn& instruction) {
  const std::uint8_t first = instruction.bytes[0];
  const std::uint8_t second = instruction.bytes[1];
  const bool is_push = (first & 0xf8) == 0x50 || (first == 0x41 && (second & 0xf8) == 0x50);
  const bool is_nop = (first == 0x90 && instruction.size == 1) || (first == 0x0f && second == 0x1f);
  const bool is_jump = (first == 0xe9 && instruction.size == 5) || (first == 0xeb && instruction.size == 2);
  return is_push || is_nop || is_jump || is_conditional_jump(instruction);
}

}  // namespace oisp
