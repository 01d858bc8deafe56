#include <algorithm>
#include <span>

#include "elf-scanner/data-flow.h"
#include "elf-scanner/frame.h"

namespace oisp {
namespace {

// The number of the general register that a name is all or part of.
std::optional<std::uint8_t> whole_register(x86_reg reg) {
  if (const auto general = general_register(reg)) return general->number;
  constexpr std::array<x86_reg, kRegisters> kWords = {
      X86_REG_AX,  X86_REG_CX,  X86_REG_DX,   X86_REG_BX,   X86_REG_SP,   X86_REG_BP,   X86_REG_SI,   X86_REG_DI,
      X86_REG_R8W, X86_REG_R9W, X86_REG_R10W, X86_REG_R11W, X86_REG_R12W, X86_REG_R13W, X86_REG_R14W, X86_REG_R15W};
  constexpr std::array<x86_reg, kRegisters> kBytes = {
      X86_REG_AL,  X86_REG_CL,  X86_REG_DL,   X86_REG_BL,   X86_REG_SPL,  X86_REG_BPL,  X86_REG_SIL,  X86_REG_DIL,
      X86_REG_R8B, X86_REG_R9B, X86_REG_R10B, X86_REG_R11B, X86_REG_R12B, X86_REG_R13B, X86_REG_R14B, X86_REG_R15B};
  constexpr std::array<x86_reg, 4> kHighBytes = {X86_REG_AH, X86_REG_CH, X86_REG_DH, X86_REG_BH};
  for (std::uint8_t i = 0; i < kRegisters; ++i) {
    if (kWords[i] == reg || kBytes[i] == reg || (i < kHighBytes.size() && kHighBytes[i] == reg)) return i;
  }
  return std::nullopt;
}

// Applies one instruction to a frame.
class Effect {
 public:
  Effect(const cs_insn& instruction, csh handle, Frame& frame, Step& step)
      : instruction_(instruction), x86_(instruction.detail->x86), handle_(handle), frame_(frame), step_(step) {}

  void apply() {
    note_uses();
    switch (instruction_.id) {
      case X86_INS_MOV:
      case X86_INS_MOVABS:
        return write(x86_.operands[0], value_of(x86_.operands[1]));
      case X86_INS_MOVSXD:  // followed by a use as int: all that is asked of an argument is its low half
        return write(x86_.operands[0], low_half(value_of(x86_.operands[1])));
      case X86_INS_LEA:
        return write(x86_.operands[0], address_of(x86_.operands[1].mem));
      case X86_INS_PUSH:
        return push();
      case X86_INS_POP:
        return pop();
      case X86_INS_LEAVE:
        frame_.set(kRsp, frame_.reg(kRbp));
        return pop_into(kRbp);
      case X86_INS_XOR:
        if (is_same_register()) return write(x86_.operands[0], {.kind = Fact::Kind::constant, .value = 0});
        break;
      case X86_INS_ADD:
        if (is_register_and_number()) return add(static_cast<std::uint64_t>(x86_.operands[1].imm));
        break;
      case X86_INS_SUB:
        if (is_register_and_number()) return add(0 - static_cast<std::uint64_t>(x86_.operands[1].imm));
        break;
      case X86_INS_AND:
        if (is_register_and_number() && x86_.operands[0].reg == X86_REG_RSP) return align_stack();
        break;
      default:
        break;
    }
    forget_written();
  }

 private:
  [[nodiscard]] bool is_same_register() const {
    return x86_.op_count == 2 && x86_.operands[0].type == X86_OP_REG && x86_.operands[1].type == X86_OP_REG &&
           x86_.operands[0].reg == x86_.operands[1].reg;
  }
  [[nodiscard]] bool is_register_and_number() const {
    return x86_.op_count == 2 && x86_.operands[0].type == X86_OP_REG && x86_.operands[1].type == X86_OP_IMM;
  }
  [[nodiscard]] std::span<const cs_x86_op> operands() const { return std::span(x86_.operands).first(x86_.op_count); }

  void note_use(x86_reg reg) {
    const auto number = whole_register(reg);
    if (!number) return;
    const Fact& fact = frame_.reg(*number);
    const bool is_argument = fact.kind == Fact::Kind::argument || fact.kind == Fact::Kind::argument_low;
    if (is_argument && fact.argument < Frame::kArguments) {
      step_.arguments_read = static_cast<std::uint8_t>(step_.arguments_read | 1u << fact.argument);
    }
  }

  void note_uses() {
    for (const cs_x86_op& operand : operands()) {
      if (operand.type == X86_OP_REG && (operand.access & CS_AC_READ) != 0 && !is_same_register())
        note_use(operand.reg);
      if (operand.type == X86_OP_MEM) note_use(operand.mem.base);
    }
  }

  [[nodiscard]] Fact address_of(const x86_op_mem& memory) const {
    if (memory.index != X86_REG_INVALID || memory.segment != X86_REG_INVALID) return {};
    const auto distance = static_cast<std::uint64_t>(memory.disp);
    if (memory.base == X86_REG_RIP) {
      return {.kind = Fact::Kind::constant, .value = instruction_.address + instruction_.size + distance};
    }
    const auto base = general_register(memory.base);
    if (!base || base->bytes != 8) return {};
    Fact fact = frame_.reg(base->number);
    if (fact.kind == Fact::Kind::stack || fact.kind == Fact::Kind::constant) {
      fact.value += distance;
      return fact;
    }
    return distance == 0 ? fact : Fact{};
  }

  // The pointer that an operand in memory is relative to.
  [[nodiscard]] Fact base_of(const x86_op_mem& memory) const {
    const auto base = general_register(memory.base);
    const bool is_plain =
        base && base->bytes == 8 && memory.index == X86_REG_INVALID && memory.segment == X86_REG_INVALID;
    return is_plain ? frame_.reg(base->number) : Fact{};
  }

  [[nodiscard]] Fact value_of(const cs_x86_op& operand) const {
    switch (operand.type) {
      case X86_OP_IMM:
        return {.kind = Fact::Kind::constant, .value = static_cast<std::uint64_t>(operand.imm)};
      case X86_OP_REG: {
        const auto general = general_register(operand.reg);
        if (!general) return {};
        return general->bytes == 8 ? frame_.reg(general->number) : low_half(frame_.reg(general->number));
      }
      case X86_OP_MEM: {
        const Fact place = address_of(operand.mem);
        if (operand.size == 8 && frame_.follows_loads() && place.kind != Fact::Kind::stack) {
          return Fact::load_through(base_of(operand.mem), static_cast<std::uint64_t>(operand.mem.disp));
        }
        if (place.kind != Fact::Kind::stack || operand.size < 4) return {};
        const Fact fact = frame_.load(place.value);
        return operand.size == 8 ? fact : low_half(fact);
      }
      default:
        return {};
    }
  }

  void write(const cs_x86_op& operand, Fact fact) {
    if (operand.type == X86_OP_MEM) return store(operand, fact);
    const auto general = general_register(operand.reg);
    if (general) return frame_.set(general->number, general->bytes == 8 ? fact : low_half(fact));
    if (const auto part = whole_register(operand.reg)) frame_.set(*part, {});
  }

  void store(const cs_x86_op& operand, Fact fact) {
    const Fact place = address_of(operand.mem);
    if (place.kind == Fact::Kind::stack) {
      if (operand.size == 4) fact = low_half(fact);
      return frame_.store(place.value, operand.size >= 4 ? fact : Fact{});
    }
    const bool is_frame = operand.mem.base == X86_REG_RSP || operand.mem.base == X86_REG_RIP;
    if (is_frame) return;
    step_.stores_to_heap = true;
    step_.store_base = base_of(operand.mem);
    step_.store_distance = static_cast<std::uint64_t>(operand.mem.disp);
  }

  void move_stack(std::uint64_t distance) {
    Fact stack = frame_.reg(kRsp);
    if (stack.kind != Fact::Kind::stack) return;
    stack.value += distance;
    frame_.set(kRsp, stack);
  }

  void push() {
    const Fact fact = value_of(x86_.operands[0]);
    move_stack(0 - std::uint64_t{8});
    if (frame_.reg(kRsp).kind == Fact::Kind::stack) frame_.store(frame_.reg(kRsp).value, fact);
  }

  void pop_into(std::uint8_t number) {
    const Fact stack = frame_.reg(kRsp);
    frame_.set(number, stack.kind == Fact::Kind::stack ? frame_.load(stack.value) : Fact{});
    move_stack(8);
  }

  void pop() {
    if (const auto general = general_register(x86_.operands[0].reg)) return pop_into(general->number);
    forget_written();
  }

  void add(std::uint64_t amount) {
    const auto general = general_register(x86_.operands[0].reg);
    if (!general) return forget_written();
    Fact fact = frame_.reg(general->number);
    const bool can_add = fact.kind == Fact::Kind::constant || (fact.kind == Fact::Kind::stack && general->bytes == 8);
    fact.value += amount;
    write(x86_.operands[0], can_add ? fact : Fact{});
  }

  // By how much is not known: far enough that no place is taken for one that was reached by rbp.
  void align_stack() { move_stack(0 - (std::uint64_t{1} << 32)); }

  void forget_written() {
    cs_regs read{};
    cs_regs written{};
    std::uint8_t reads = 0;
    std::uint8_t writes = 0;
    if (::cs_regs_access(handle_, &instruction_, read, &reads, written, &writes) == 0) {
      for (std::uint8_t i = 0; i < writes; ++i) {
        if (const auto number = whole_register(static_cast<x86_reg>(written[i]))) frame_.set(*number, {});
      }
    }
    for (const cs_x86_op& operand : operands()) {
      if ((operand.access & CS_AC_WRITE) == 0) continue;
      if (operand.type == X86_OP_MEM) store(operand, {});
      if (operand.type != X86_OP_REG) continue;
      if (const auto number = whole_register(operand.reg)) frame_.set(*number, {});
    }
  }

  const cs_insn& instruction_;
  const cs_x86& x86_;
  csh handle_;
  Frame& frame_;
  Step& step_;
};

Step::Kind kind_of(const cs_insn& instruction) {
  switch (instruction.id) {
    case X86_INS_RET:
    case X86_INS_RETF:
    case X86_INS_UD2:
    case X86_INS_HLT:
    case X86_INS_INT3:
      return Step::Kind::end;
    case X86_INS_CALL:
      return Step::Kind::call;
    case X86_INS_JMP:
    case X86_INS_LJMP:
      return Step::Kind::jump;
    case X86_INS_JRCXZ:
    case X86_INS_JECXZ:
    case X86_INS_LOOP:
    case X86_INS_LOOPE:
    case X86_INS_LOOPNE:
      return Step::Kind::branch;
    default:
      return is_conditional_jump(instruction) ? Step::Kind::branch : Step::Kind::plain;
  }
}

}  // namespace

std::optional<Step> step_x86(const ElfImage& image, Decoder& decoder, std::uint64_t address, Frame* frame) {
  constexpr std::uint64_t kLongest = 15;
  const cs_insn* instruction = decoder.decode(image.code_at(address, kLongest), address);
  if (instruction == nullptr) return std::nullopt;
  Step step{.kind = kind_of(*instruction), .size = static_cast<std::uint8_t>(instruction->size)};
  if (step.kind == Step::Kind::plain) {
    if (frame != nullptr) Effect(*instruction, decoder.handle(), *frame, step).apply();
  } else {
    step.target = direct_target(*instruction);
  }
  return step;
}

}  // namespace oisp
