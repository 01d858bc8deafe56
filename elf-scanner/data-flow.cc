#include "elf-scanner/data-flow.h"

#include <algorithm>
#include <optional>

namespace oisp {
namespace {

bool ends_straight_line(const cs_insn& instruction) {
  const auto groups = std::span(instruction.detail->groups).first(instruction.detail->groups_count);
  const bool jumps = std::find(groups.begin(), groups.end(), std::uint8_t{CS_GRP_JUMP}) != groups.end();
  return jumps || instruction.id == X86_INS_CALL || instruction.id == X86_INS_RET || instruction.id == X86_INS_UD2 ||
         instruction.id == X86_INS_HLT;
}

// What a plain move puts into a register of `bytes` bytes.
Value moved(const Registers& registers, const cs_x86& x86, std::uint8_t bytes) {
  const cs_x86_op& source = x86.operands[1];
  if (source.type != X86_OP_REG) return {};
  const auto from = general_register(source.reg);
  if (!from) return {};
  const Value value = registers[from->number];
  if (bytes == 8 && from->bytes == 8) return value;
  if (value.kind == Value::Kind::argument || value.kind == Value::Kind::argument_low) {
    return {.kind = Value::Kind::argument_low, .origin = value.origin};
  }
  return {};
}

Value address_of(const Registers& registers, const cs_x86& x86) {
  const x86_op_mem& memory = x86.operands[1].mem;
  const auto base = general_register(memory.base);
  if (!base || base->bytes != 8 || memory.index != X86_REG_INVALID) return {};
  const Value value = registers[base->number];
  if (value.kind == Value::Kind::stack_address) return value;
  return memory.disp == 0 ? value : Value{};
}

enum class Effect { known, unknown };

// Applies an instruction that does not branch. Only what is listed is known: everything else ends the
// analysis, since a register that changes unnoticed would make the proof worthless.
Effect apply(const cs_insn& instruction, Registers& registers) {
  const cs_x86& x86 = instruction.detail->x86;
  const auto set = [&](const cs_x86_op& operand, Value value) {
    if (operand.type != X86_OP_REG) return Effect::known;  // memory: nothing is followed through it
    const auto reg = general_register(operand.reg);
    // Vector registers hold no argument; parts of general ones are rare enough to give up.
    const bool is_vector = operand.reg >= X86_REG_XMM0 && operand.reg <= X86_REG_XMM31;
    if (!reg) return is_vector ? Effect::known : Effect::unknown;
    registers[reg->number] = value;
    return Effect::known;
  };
  if (is_endbr64(instruction)) return Effect::known;
  switch (instruction.id) {
    case X86_INS_NOP:
    case X86_INS_TEST:
    case X86_INS_CMP:
    case X86_INS_PUSH:
      return Effect::known;
    case X86_INS_MOV:
    case X86_INS_MOVSXD:
    case X86_INS_MOVABS: {
      const auto reg = x86.operands[0].type == X86_OP_REG ? general_register(x86.operands[0].reg) : std::nullopt;
      return set(x86.operands[0], reg ? moved(registers, x86, reg->bytes) : Value{});
    }
    case X86_INS_LEA:
      return set(x86.operands[0], address_of(registers, x86));
    case X86_INS_SUB:
    case X86_INS_ADD:
    case X86_INS_AND: {
      const cs_x86_op& target = x86.operands[0];
      const bool moves_stack = target.type == X86_OP_REG && target.reg == X86_REG_RSP;
      return moves_stack ? Effect::known : set(target, {});
    }
    case X86_INS_LEAVE:
      registers[kRbp] = {};
      return Effect::known;
    case X86_INS_POP:
    case X86_INS_XOR:
    case X86_INS_OR:
    case X86_INS_MOVZX:
    case X86_INS_MOVSX:
    case X86_INS_MOVAPS:
    case X86_INS_MOVUPS:
    case X86_INS_MOVDQA:
    case X86_INS_MOVDQU:
    case X86_INS_MOVQ:
    case X86_INS_PXOR:
    case X86_INS_XORPS:
    case X86_INS_CMOVS:
    case X86_INS_CMOVNS:
    case X86_INS_CMOVE:
    case X86_INS_CMOVNE:
    case X86_INS_CMOVG:
    case X86_INS_CMOVGE:
    case X86_INS_CMOVL:
    case X86_INS_CMOVLE:
    case X86_INS_SHL:
    case X86_INS_SHR:
    case X86_INS_SAR:
    case X86_INS_NEG:
    case X86_INS_NOT:
      return set(x86.operands[0], {});
    default:
      return Effect::unknown;
  }
}

bool is_whole_argument(const Value& value, std::uint8_t reg) {
  return value.kind == Value::Kind::argument && value.origin == reg;
}

bool passes_arguments(const Registers& registers) {
  const Value& length = registers[kRdx];
  return is_whole_argument(registers[kRdi], kRdi) && is_whole_argument(registers[kRsi], kRsi) &&
         (length.kind == Value::Kind::argument || length.kind == Value::Kind::argument_low) && length.origin == kRdx;
}

struct Path {
  std::uint64_t address;
  Registers registers;
};

// Follows all paths of one function. Its limits are kMostPaths and kMostSteps.
class Walk {
 public:
  Walk(const ElfImage& image, Decoder& decoder, Function function)
      : image_(image), decoder_(decoder), function_(function) {}

  PassingCalls run(const Registers& at_entry) {
    fork(function_.address, at_entry);
    while (count_ > 0 && !failed_) follow(paths_[--count_]);
    found_.complete = !failed_;
    return found_;
  }

 private:
  void fork(std::uint64_t address, const Registers& registers) {
    if (count_ == paths_.size()) {
      failed_ = true;
      return;
    }
    paths_[count_++] = {.address = address, .registers = registers};
  }

  [[nodiscard]] bool is_inside(std::uint64_t address) const {
    return address >= function_.address && address - function_.address < function_.size;
  }

  void note_call(std::uint64_t target, const Registers& registers) {
    if (!passes_arguments(registers)) return;
    if (found_.count == found_.calls.size()) {
      failed_ = true;
      return;
    }
    target = image_.stub_target(target).value_or(target);
    found_.calls[found_.count++] = {.target = target, .registers = registers};
  }

  // The end of the path, or the address to go on at.
  std::optional<std::uint64_t> branch(const cs_insn& instruction, Registers& registers) {
    const auto target = direct_target(instruction);
    const std::uint64_t next = instruction.address + instruction.size;
    switch (instruction.id) {
      case X86_INS_RET:
      case X86_INS_UD2:
      case X86_INS_HLT:
        return std::nullopt;
      case X86_INS_JMP:
        if (target && is_inside(*target)) return target;
        if (target) note_call(*target, registers);
        failed_ = failed_ || !target;
        return std::nullopt;
      default:
        break;
    }
    if (instruction.id == X86_INS_CALL) {
      const cs_x86_op& operand = instruction.detail->x86.operands[0];
      const bool through_linkage = operand.type == X86_OP_MEM && operand.mem.base == X86_REG_RIP;
      if (target) note_call(*target, registers);
      failed_ = failed_ || (!target && !through_linkage);
      for (const std::uint8_t reg : {kRax, kRcx, kRdx, kRsi, kRdi}) registers[reg] = {};
      for (std::size_t reg = kR8; reg <= kR11; ++reg) registers[reg] = {};
      return next;
    }
    if (is_conditional_jump(instruction) && target && is_inside(*target)) {
      fork(*target, registers);
      return next;
    }
    failed_ = true;
    return std::nullopt;
  }

  void follow(Path path) {
    Registers& registers = path.registers;
    std::optional<std::uint64_t> address = path.address;
    while (address && !failed_) {
      constexpr std::uint64_t kLongest = 15;
      const cs_insn* instruction = decoder_.decode(image_.code_at(*address, kLongest), *address);
      if (instruction == nullptr || ++steps_ > kMostSteps) {
        failed_ = true;
        return;
      }
      if (ends_straight_line(*instruction)) {
        address = branch(*instruction, registers);
      } else {
        address = *address + instruction->size;
        failed_ = apply(*instruction, registers) == Effect::unknown;
      }
    }
  }

  const ElfImage& image_;
  Decoder& decoder_;
  Function function_;
  std::array<Path, kMostPaths> paths_{};
  std::size_t count_ = 0;
  std::size_t steps_ = 0;
  bool failed_ = false;
  PassingCalls found_;
};

}  // namespace

Registers entry_registers() {
  Registers registers{};
  for (std::uint8_t i = 0; i < kRegisters; ++i) registers[i] = {.kind = Value::Kind::argument, .origin = i};
  registers[kRsp] = {.kind = Value::Kind::stack_address};
  return registers;
}

PassingCalls find_passing_calls(const ElfImage& image, Decoder& decoder, Function function, const Registers& at_entry) {
  return Walk(image, decoder, function).run(at_entry);
}

bool calls_function(const ElfImage& image, Decoder& decoder, Function function, std::uint64_t target) {
  constexpr std::uint64_t kMostBytes = 16384;
  auto code = image.code_at(function.address, std::min(function.size, kMostBytes));
  std::uint64_t address = function.address;
  const auto leads_there = [&](std::uint64_t to) { return to == target || image.stub_target(to) == target; };
  for (std::size_t i = 0; i < kMostInstructions && !code.empty(); ++i) {
    std::size_t size = 4;
    if (image.machine() == Machine::x86_64) {
      const cs_insn* instruction = decoder.decode(code, address);
      if (instruction == nullptr) return false;
      size = instruction->size;
      const bool branches = instruction->id == X86_INS_CALL || instruction->id == X86_INS_JMP;
      const auto to = branches ? direct_target(*instruction) : std::nullopt;
      if (to && leads_there(*to)) return true;
    } else {
      if (code.size() < size) return false;
      std::uint32_t word = 0;
      std::memcpy(&word, code.data(), sizeof word);
      // b and bl: a signed distance of 26 bits, in words.
      if ((word & 0x7c000000) == 0x14000000) {
        const std::int64_t distance = static_cast<std::int64_t>(std::uint64_t{word} << 38) >> 36;
        if (leads_there(address + static_cast<std::uint64_t>(distance))) return true;
      }
    }
    code = code.subspan(size);
    address += size;
  }
  return false;
}

}  // namespace oisp
