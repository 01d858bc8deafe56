#include "elf-scanner/probe-point.h"

#include <algorithm>
#include <optional>

#include "elf-scanner/data-flow.h"
#include "elf-scanner/limits.h"

namespace oisp {
namespace {

// Whether a branch within the function leads to an address after its entry, up to and including
// `point`. True also where it cannot be told.
bool may_run_twice(const ElfImage& image, Decoder& decoder, Function function, std::uint64_t point) {
  constexpr std::uint64_t kMostBytes = 16384;
  if (function.size == 0 || function.size > kMostBytes) return true;
  auto code = image.code_at(function.address, function.size);
  std::uint64_t address = function.address;
  for (std::size_t i = 0; !code.empty(); ++i) {
    const cs_insn* instruction = decoder.decode(code, address);
    if (instruction == nullptr || i == kMostInstructions) return true;
    const bool jumps = instruction->id == X86_INS_JMP || is_conditional_jump(*instruction);
    const auto target = jumps ? direct_target(*instruction) : std::nullopt;
    if (target && *target > function.address && *target <= point) return true;
    code = code.subspan(instruction->size);
    address += instruction->size;
  }
  return false;
}

// Instructions that neither branch nor touch the stack pointer, and write at most their first operand.
bool is_plain(const cs_insn& instruction) {
  switch (instruction.id) {
    case X86_INS_MOV:
    case X86_INS_MOVSXD:
    case X86_INS_MOVABS:
    case X86_INS_LEA:
    case X86_INS_TEST:
    case X86_INS_CMP:
    case X86_INS_XOR:
      return true;
    default:
      return false;
  }
}

}  // namespace

ProbePoint find_probe_point(const ElfImage& image, Decoder& decoder, Function function, std::uint32_t needed,
                            bool returns) {
  const ProbePoint entry{.address = function.address, .is_cheap = false};
  if (image.machine() != Machine::x86_64) return entry;
  constexpr std::uint64_t kLongest = 15;
  std::uint64_t address = function.address;
  bool only_endbr = true;  // nothing else was decoded yet
  for (std::size_t i = 0; i < kMostBeforePoint; ++i) {
    const cs_insn* instruction = decoder.decode(image.code_at(address, kLongest), address);
    if (instruction == nullptr) return entry;
    const std::uint64_t next = address + instruction->size;
    if (is_emulated(*instruction)) {
      // Behind endbr64 alone counts as the entry: compilers make loops begin after the frame is made.
      if (only_endbr || !may_run_twice(image, decoder, function, address))
        return {.address = address, .is_cheap = true};
      return entry;
    }
    if (is_endbr64(*instruction) && i == 0) {
      address = next;
      continue;
    }
    only_endbr = false;
    const cs_x86& x86 = instruction->detail->x86;
    const bool is_stack_step = instruction->id == X86_INS_SUB && x86.operands[0].type == X86_OP_REG &&
                               x86.operands[0].reg == X86_REG_RSP && !returns;
    if (!is_plain(*instruction) && !is_stack_step) return entry;
    const bool writes = instruction->id != X86_INS_TEST && instruction->id != X86_INS_CMP;
    const auto target = writes && !is_stack_step && x86.operands[0].type == X86_OP_REG
                            ? general_register(x86.operands[0].reg)
                            : std::nullopt;
    const bool writes_part = writes && x86.operands[0].type == X86_OP_REG && !is_stack_step && !target;
    if (writes_part || (target && ((needed >> target->number) & 1) != 0) || (target && target->number == kRsp))
      return entry;
    address = next;
  }
  return entry;
}

void add_site(const ElfImage& image, std::uint64_t address, oisp_site site, oisp_scan_answer& answer) {
  const auto offset = image.code_offset(address);
  const auto code = image.code_at(address, OISP_SITE_BYTES);
  if (!offset || code.empty() || answer.site_count == OISP_SCAN_MOST_SITES) return;
  site.offset = *offset;
  std::copy(code.begin(), code.end(), site.bytes);
  site.bytes_length = static_cast<std::uint32_t>(code.size());
  answer.sites[answer.site_count++] = site;
}

}  // namespace oisp
