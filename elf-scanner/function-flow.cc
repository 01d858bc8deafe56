#include "elf-scanner/function-flow.h"

#include <algorithm>
#include <bitset>

namespace oisp {
namespace {

// Code near a function's start, where its ways lead. What is called is another function: a way that gets
// there (by a tail jump, or behind a call that never returns) has left this one.
class Territory {
 public:
  Territory(const CallTargets& targets, std::uint64_t start) : targets_(targets), start_(start) {}

  [[nodiscard]] bool contains(std::uint64_t address) const {
    return index(address) < kBytes && (address == start_ || !targets_.contains(address));
  }
  // From 0 to kBytes for addresses within.
  [[nodiscard]] std::uint64_t index(std::uint64_t address) const { return address - (start_ - kMostFunctionBytes); }

  static constexpr std::size_t kBytes = 2 * kMostFunctionBytes;

 private:
  const CallTargets& targets_;
  std::uint64_t start_;
};

bool goes_on(const Step& step) { return step.kind != Step::Kind::end && step.kind != Step::Kind::jump; }
bool turns(const Step& step) { return step.kind == Step::Kind::jump || step.kind == Step::Kind::branch; }

// Whether a way leads from `start` to `site`.
bool reaches(const ElfImage& image, Decoder& decoder, Budget& budget, const CallTargets& targets, std::uint64_t start,
             std::uint64_t site) {
  const Territory territory(targets, start);
  std::bitset<Territory::kBytes> visited;
  std::array<std::uint64_t, kMostWays> ways{};
  std::size_t count = 0;
  const auto add = [&](std::uint64_t address) {
    if (count < ways.size() && territory.contains(address)) ways[count++] = address;
  };
  add(start);
  while (count > 0) {
    std::uint64_t address = ways[--count];
    while (territory.contains(address) && !visited.test(territory.index(address)) && budget.take()) {
      if (address == site) return true;
      visited.set(territory.index(address));
      const auto now = step(image, decoder, address, nullptr);
      if (!now) break;
      if (turns(*now) && now->target) add(*now->target);
      if (!goes_on(*now)) break;
      address += now->size;
    }
  }
  return false;
}

// States that were followed already: by their hash, and how many there are at each place.
class SeenStates {
 public:
  enum class Answer { fresh, seen, too_many, full };

  Answer note(std::uint64_t address, std::uint64_t state) {
    const std::uint64_t mixed = (state ^ address * 0x9e3779b97f4a7c15) | 1;  // never 0, which is empty
    std::size_t at = static_cast<std::size_t>(mixed >> 20) % states_.size();
    while (states_[at] != 0 && states_[at] != mixed) at = (at + 1) % states_.size();
    if (states_[at] == mixed) return Answer::seen;
    Place* place = place_of(address);
    if (place == nullptr || count_ > states_.size() / 2) return Answer::full;
    if (++place->states > kMostStatesAtPlace) return Answer::too_many;
    states_[at] = mixed;
    ++count_;
    return Answer::fresh;
  }
  // A state without constants: there are few of those, and each is followed.
  Answer note_plain(std::uint64_t address, std::uint64_t state) {
    if (Place* place = place_of(address)) place->states = 0;
    const Answer answer = note(address, state);
    if (Place* place = place_of(address)) place->states = kMostStatesAtPlace;
    return answer;
  }

 private:
  struct Place {
    std::uint64_t address = 0;
    std::size_t states = 0;
  };

  Place* place_of(std::uint64_t address) {
    std::size_t at = static_cast<std::size_t>(address * 0x9e3779b97f4a7c15 >> 40) % places_.size();
    for (std::size_t tries = 0; tries < places_.size(); ++tries, at = (at + 1) % places_.size()) {
      if (places_[at].address == address) return &places_[at];
      if (places_[at].address != 0) continue;
      places_[at].address = address;
      return &places_[at];
    }
    return nullptr;
  }

  std::array<std::uint64_t, kMostStates> states_{};
  std::array<Place, kMostPlaces> places_{};
  std::size_t count_ = 0;
};

class Walk {
 public:
  Walk(const ElfImage& image, Decoder& decoder, Budget& budget, const CallTargets& targets, std::uint64_t start,
       std::uint64_t error_function)
      : image_(image), decoder_(decoder), budget_(budget), territory_(targets, start), error_(error_function) {
    flow_.start = start;
    flow_.is_complete = true;
  }

  FunctionFlow run(const Frame& first) {
    fork({.address = flow_.start, .copied = 0, .frame = first});
    while (count_ > 0 && flow_.is_complete) {
      Way way = ways_[--count_];
      while (flow_.is_complete && advance(way)) {
      }
    }
    return flow_;
  }

 private:
  struct Way {
    std::uint64_t address = 0;
    std::uint32_t copied = 0;  // copies that were made on it, a bit each
    Frame frame;
  };

  // Whether this state has yet to be followed from here; it may lose its constants by that.
  bool is_fresh(Way& way) {
    if (!territory_.contains(way.address)) return false;
    const auto state = [&] { return way.frame.hash() + way.copied * std::uint64_t{0x2545f4914f6cdd1d}; };
    auto answer = seen_.note(way.address, state());
    if (answer == SeenStates::Answer::too_many) {
      way.frame.forget_constants();
      answer = seen_.note_plain(way.address, state());
    }
    if (answer == SeenStates::Answer::full) flow_.is_complete = false;
    return answer == SeenStates::Answer::fresh;
  }

  void fork(Way way) {
    if (!is_fresh(way)) return;
    if (count_ == ways_.size()) {
      flow_.is_complete = false;
      return;
    }
    ways_[count_++] = way;
  }

  // One instruction; false at the end of the way.
  bool advance(Way& way) {
    if (!budget_.take() || ++steps_ > kMostFunctionSteps) {
      flow_.is_complete = false;
      return false;
    }
    const auto now = step(image_, decoder_, way.address, &way.frame);
    if (!now || now->kind == Step::Kind::end) return false;
    flow_.arguments_read |= now->arguments_read;
    if (now->stores_to_heap) note_heap_store(way.copied);
    if (now->kind == Step::Kind::call) note_call(way, *now);
    if (now->kind == Step::Kind::jump) {
      if (!now->target) return false;
      way.address = *now->target;
      return is_fresh(way);
    }
    if (now->kind == Step::Kind::branch && now->target) {
      Way other = way;
      other.address = *now->target;
      fork(other);
      way.address += now->size;
      return is_fresh(way);
    }
    way.address += now->size;
    return territory_.contains(way.address);
  }

  void note_call(Way& way, const Step& now) {
    const Machine machine = image_.machine();
    if (now.target == error_) {
      note_error(way.frame);
    } else if (way.frame.argument(machine, 0).is_argument(1)) {
      note_copy(way, now.target.has_value());
    }
    way.frame.forget_unkept(machine);
  }

  void note_error(const Frame& frame) {
    ErrorCall call{};
    for (std::size_t i = 0; i < call.arguments.size(); ++i) call.arguments[i] = frame.argument(image_.machine(), i);
    const auto known = flow_.all_errors();
    const bool is_known = std::any_of(known.begin(), known.end(),
                                      [&](const ErrorCall& other) { return other.arguments == call.arguments; });
    if (is_known) return;
    if (flow_.error_count == flow_.errors.size()) {
      flow_.is_complete = false;
    } else {
      flow_.errors[flow_.error_count++] = call;
    }
  }

  void note_copy(Way& way, bool is_direct) {
    std::uint32_t session = 0;
    for (std::size_t i = 0; i < Frame::kMostRegisters; ++i) {
      if (way.frame.reg(i).is_argument(0)) session |= 1u << i;
    }
    std::size_t at = 0;
    while (at < flow_.copy_count && flow_.copies[at].address != way.address) ++at;
    if (at == flow_.copies.size()) {
      flow_.is_complete = false;
      return;
    }
    CopyCall& copy = flow_.copies[at];
    if (at == flow_.copy_count) {
      ++flow_.copy_count;
      copy = {.address = way.address,
              .is_direct = is_direct,
              .session_registers = session,
              .source = way.frame.argument(image_.machine(), 1)};
    }
    copy.session_registers &= session;
    if (copy.source != way.frame.argument(image_.machine(), 1)) copy.source = {};
    way.copied |= 1u << at;
  }

  void note_heap_store(std::uint32_t copied) {
    for (std::size_t i = 0; i < flow_.copy_count; ++i) {
      if ((copied >> i & 1) != 0) flow_.copies[i].advances = true;
    }
  }

  const ElfImage& image_;
  Decoder& decoder_;
  Budget& budget_;
  Territory territory_;
  std::uint64_t error_;
  std::array<Way, kMostWays> ways_{};
  std::size_t count_ = 0;
  std::size_t steps_ = 0;
  SeenStates seen_;
  FunctionFlow flow_;
};

}  // namespace

FunctionFlow follow_function(const ElfImage& image, Decoder& decoder, Budget& budget, const CallTargets& targets,
                             std::uint64_t start, const Frame& first, std::uint64_t error_function) {
  return Walk(image, decoder, budget, targets, start, error_function).run(first);
}

std::optional<std::uint64_t> find_start(const ElfImage& image, Decoder& decoder, Budget& budget,
                                        const CallTargets& targets, std::uint64_t site) {
  auto start = targets.find_before(site, site);
  for (std::size_t tries = 0; start && tries < kMostStarts; ++tries) {
    if (reaches(image, decoder, budget, targets, *start, site)) return start;
    start = targets.find_before(*start - 1, site);
  }
  return std::nullopt;
}

}  // namespace oisp
