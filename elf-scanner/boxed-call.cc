#include "elf-scanner/boxed-call.h"

#include <algorithm>
#include <span>

#include "elf-scanner/data-flow.h"

namespace oisp {
namespace {

// A method table begins with drop, size and align; then come the methods. Which of them passes a record is the
// trait's matter: the first, or one behind it.
constexpr std::uint64_t kFirstMethod = 0x18;
constexpr std::uint64_t kLastMethod = 0x20;
constexpr std::uint64_t kLongest = 15;

bool is_method(std::uint64_t distance) { return distance == kFirstMethod || distance == kLastMethod; }

// Whether a call may go through a table of methods.
bool may_call_method(const cs_insn& instruction) {
  const cs_x86_op& operand = instruction.detail->x86.operands[0];
  return operand.type == X86_OP_REG || is_method(static_cast<std::uint64_t>(operand.mem.disp));
}

// The table of methods, as what was read through the keeper, that a call goes through.
std::optional<Fact> methods_of(const cs_insn& instruction, const Frame& frame) {
  const cs_x86_op& operand = instruction.detail->x86.operands[0];
  if (operand.type == X86_OP_MEM) {
    const auto base = general_register(operand.mem.base);
    const auto distance = static_cast<std::uint64_t>(operand.mem.disp);
    if (!base || !is_method(distance) || operand.mem.index != X86_REG_INVALID) return std::nullopt;
    return frame.reg(base->number);
  }
  const auto reg = general_register(operand.reg);
  if (!reg) return std::nullopt;
  Fact fact = frame.reg(reg->number);
  if (fact.kind != Fact::Kind::loaded || fact.steps != 2 || !is_method(fact.value & 0xffff)) return std::nullopt;
  fact.value >>= 16;
  fact.steps = 1;
  return fact;
}

bool is_read_from(const Fact& fact, std::uint8_t keeper) {
  return fact.kind == Fact::Kind::loaded && fact.steps == 1 && fact.argument == keeper;
}

std::optional<std::uint8_t> register_with(const Frame& frame, const Fact& fact) {
  for (std::uint8_t reg = 0; reg < kRegisters; ++reg) {
    if (fact.kind != Fact::Kind::unknown && frame.reg(reg) == fact) return reg;
  }
  return std::nullopt;
}

}  // namespace

bool BoxedCalls::advance() {
  const cs_insn* instruction = budget_.take() ? decoder_.decode(image_.code_at(next_, kLongest), next_) : nullptr;
  if (instruction == nullptr) return false;
  const bool leaves =
      instruction->id == X86_INS_JMP || instruction->id == X86_INS_RET || instruction->id == X86_INS_UD2;
  if (count_ == window_.size()) {
    std::copy(window_.begin() + 1, window_.end(), window_.begin());
    --count_;
  }
  window_[count_++] = next_;
  if (leaves) count_ = 0;
  is_indirect_ = instruction->id == X86_INS_CALL && !direct_target(*instruction) && may_call_method(*instruction);
  next_ += instruction->size;
  return true;
}

// What is known depends on where one begins to look: the keeper's address may itself be read in between.
std::optional<BoxedCall> BoxedCalls::prove() {
  for (std::size_t first = 0; first + 1 < count_; ++first) {
    if (auto call = prove_from(first)) return call;
  }
  return std::nullopt;
}

std::optional<BoxedCall> BoxedCalls::prove_from(std::size_t first) {
  Frame frame = Frame::anywhere();
  std::uint64_t written = 0;
  Fact written_to;
  for (std::size_t i = first; i + 1 < count_; ++i) {
    const auto now = budget_.take() ? step_x86(image_, decoder_, window_[i], &frame) : std::nullopt;
    if (!now) return std::nullopt;
    if (now->kind == Step::Kind::call) frame.forget_unkept(Machine::x86_64);
    if (now->stores_to_heap && now->store_base.kind == Fact::Kind::argument) {
      written = now->store_distance;
      written_to = now->store_base;
    }
  }
  const Fact& object = frame.argument(Machine::x86_64, 1);
  const Fact& number = frame.argument(Machine::x86_64, 3);
  const std::uint8_t keeper = object.argument;
  if (!is_read_from(object, keeper) || !is_read_from(number, keeper)) return std::nullopt;
  BoxedCall call{.address = window_[count_ - 1], .end = next_, .place = {.box = object.value, .number = number.value}};
  const cs_insn* instruction = decoder_.decode(image_.code_at(call.address, kLongest), call.address);
  const auto methods = instruction == nullptr ? std::nullopt : methods_of(*instruction, frame);
  if (!methods || !is_read_from(*methods, keeper) || methods->value != object.value + 8) return std::nullopt;
  const bool is_counted = written == number.value && written_to.is_argument(keeper);
  if (!is_counted && !is_counted_behind(call, frame)) return std::nullopt;
  call.keeper = register_with(frame, {.kind = Fact::Kind::argument, .argument = keeper});
  find_before(first, frame, keeper, call);
  return call;
}

// On one of the ways that go on behind the call: it may count only what did not fail.
bool BoxedCalls::is_counted_behind(const BoxedCall& call, const Frame& at_call) {
  struct Way {
    std::uint64_t address;
    Frame frame;
  };
  std::array<Way, kMostBranches> ways{{{.address = call.end, .frame = at_call}}};
  ways[0].frame.forget_unkept(Machine::x86_64);
  std::size_t count = 1;
  for (std::size_t way = 0; way < count; ++way) {
    auto& [address, frame] = ways[way];
    for (std::size_t i = 0; i < kMostBehind; ++i) {
      const auto now = budget_.take() ? step_x86(image_, decoder_, address, &frame) : std::nullopt;
      if (!now || now->kind == Step::Kind::end || now->kind == Step::Kind::call) break;
      if (now->stores_to_heap && now->store_distance == call.place.number) return true;
      const bool branches = now->kind == Step::Kind::branch && now->target && count < ways.size();
      if (branches) ways[count++] = {.address = *now->target, .frame = frame};
      if (now->kind == Step::Kind::jump && !now->target) break;
      address = now->kind == Step::Kind::jump ? *now->target : address + now->size;
    }
  }
  return false;
}

void BoxedCalls::find_before(std::size_t first, const Frame& at_call, std::uint8_t keeper, BoxedCall& call) {
  const Fact message = at_call.argument(Machine::x86_64, 2);
  const Fact number = at_call.argument(Machine::x86_64, 3);
  Frame frame = Frame::anywhere();
  for (std::size_t i = first; i < count_; ++i) {
    const auto keeper_at = register_with(frame, {.kind = Fact::Kind::argument, .argument = keeper});
    const auto message_at = register_with(frame, message);
    const auto number_at = register_with(frame, number);
    if (keeper_at && message_at && number_at) {
      call.before = {.address = window_[i], .keeper = *keeper_at, .message = *message_at, .number = *number_at};
    }
    const auto now = budget_.take() ? step_x86(image_, decoder_, window_[i], &frame) : std::nullopt;
    if (!now) return call.before.reset();
    if (i + 1 < count_ && now->kind != Step::Kind::plain) {
      call.before.reset();
      if (now->kind == Step::Kind::call) frame.forget_unkept(Machine::x86_64);
    }
  }
  if (call.before && is_entered(call.before->address, call.address)) call.before.reset();
}

// Whether a jump of the function leads behind `after`, up to `until`. True also where it cannot be told.
bool BoxedCalls::is_entered(std::uint64_t after, std::uint64_t until) {
  for (std::uint64_t address = function_.address; address - function_.address < function_.size;) {
    const auto now = budget_.take() ? step_x86(image_, decoder_, address, nullptr) : std::nullopt;
    if (!now) return true;
    const bool jumps = now->kind == Step::Kind::jump || now->kind == Step::Kind::branch;
    if (jumps && now->target && *now->target > after && *now->target <= until) return true;
    address += now->size;
  }
  return false;
}

}  // namespace oisp
