#include "elf-scanner/functions-around.h"

#include <algorithm>

namespace oisp {

void FunctionsAround::look_for(const Places& places) {
  places_ = places.all();
  called_ = {};
  if (image_.has_unwind_table() || places_.empty()) return;
  image_.for_each_code([this](std::uint64_t address, std::span<const std::uint8_t> code) {
    for_each_call(address, code, [this](std::uint64_t, std::uint64_t target) { note(target); });
  });
}

void FunctionsAround::note(std::uint64_t target) {
  const auto from = std::lower_bound(places_.begin(), places_.end(), target);
  for (auto place = from; place != places_.end() && *place - target <= kMostFunctionBytes; ++place) {
    note_before(called_[static_cast<std::size_t>(place - places_.begin())], target);
  }
  for (auto place = from; place != places_.begin() && target - *(place - 1) <= kMostFunctionBytes; --place) {
    Called& called = called_[static_cast<std::size_t>(place - 1 - places_.begin())];
    if (called.behind == 0 || target < called.behind) called.behind = target;
  }
}

void FunctionsAround::note_before(Called& called, std::uint64_t target) {
  std::size_t at = 0;
  while (at < called.count && called.before[at] > target) ++at;
  if (at == kMostBefore || (at < called.count && called.before[at] == target)) return;
  called.count = std::min(called.count + 1, kMostBefore);
  std::copy_backward(called.before.begin() + static_cast<std::ptrdiff_t>(at),
                     called.before.begin() + static_cast<std::ptrdiff_t>(called.count - 1),
                     called.before.begin() + static_cast<std::ptrdiff_t>(called.count));
  called.before[at] = target;
}

std::optional<Function> FunctionsAround::find(std::size_t number) {
  const std::uint64_t place = places_[number];
  if (image_.has_unwind_table()) return image_.function_at(place);
  const Called& called = called_[number];
  for (const std::uint64_t start : std::span(called.before).first(called.count)) {
    if (!leads_to(start, place)) continue;
    const std::uint64_t end = called.behind == 0 ? place + kMostFunctionBytes : called.behind;
    return Function{.address = start, .size = end - start};
  }
  return std::nullopt;
}

bool FunctionsAround::leads_to(std::uint64_t start, std::uint64_t place) {
  constexpr std::uint64_t kLongest = 15;
  std::uint64_t address = start;
  while (address < place) {
    const cs_insn* instruction = budget_.take() ? decoder_.decode(image_.code_at(address, kLongest), address) : nullptr;
    if (instruction == nullptr) return false;
    address += instruction->size;
  }
  return address == place;
}

}  // namespace oisp
