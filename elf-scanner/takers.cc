#include "elf-scanner/takers.h"

#include "elf-scanner/data-flow.h"

namespace oisp {
namespace {

// A way behind the call, as far as the next call.
struct Way {
  std::uint64_t address = 0;
  std::uint64_t branch = 0;  // its first conditional jump, which the kernel emulates
  std::uint32_t kept = 0;    // at that: the registers that are as the call left them, a bit each
  Frame frame;
};

std::uint32_t kept_registers(const Frame& frame) {
  std::uint32_t kept = 0;
  for (std::uint8_t reg = 0; reg < kRegisters; ++reg) {
    if (frame.reg(reg).is_argument(static_cast<std::uint8_t>(Fact::kKept + reg))) kept |= 1u << reg;
  }
  return kept;
}

// Follows the ways behind one call.
class Behind {
 public:
  Behind(const ElfImage& image, Decoder& decoder, Budget& budget, DataPlace place)
      : image_(image), decoder_(decoder), budget_(budget), place_(place) {}

  std::optional<Taker> find(std::uint64_t call_end) {
    add({.address = call_end, .frame = Frame::behind_call()});
    while (count_ > 0) {
      Way way = ways_[--count_];
      while (steps_ < kMostStepsBehind && advance(way)) ++steps_;
    }
    is_unknown_ = is_unknown_ || steps_ == kMostStepsBehind;
    return taker_;
  }
  // A taker that cannot be probed, or more than one.
  [[nodiscard]] bool is_unknown() const { return is_unknown_; }

 private:
  void add(const Way& way) {
    if (count_ < ways_.size()) {
      ways_[count_++] = way;
    } else {
      is_unknown_ = true;
    }
  }

  // One instruction; false at the end of the way.
  bool advance(Way& way) {
    const bool has_result = way.frame.reg(kRax).kind == Fact::Kind::result;
    const std::uint32_t kept = kept_registers(way.frame);
    const auto now = budget_.take() ? step_x86(image_, decoder_, way.address, &way.frame) : std::nullopt;
    if (!now || now->kind == Step::Kind::end || now->kind == Step::Kind::call) return false;
    if (moves_pointer(*now)) {
      note(way, static_cast<std::uint8_t>(now->store_base.argument - Fact::kKept));
      return false;
    }
    if (now->kind == Step::Kind::branch) {
      if (way.branch == 0 && has_result) {
        way.branch = way.address;
        way.kept = kept;
      }
      if (now->target) {
        Way other = way;
        other.address = *now->target;
        add(other);
      }
    }
    if (now->kind == Step::Kind::jump && !now->target) return false;
    way.address = now->kind == Step::Kind::jump ? *now->target : way.address + now->size;
    return true;
  }

  [[nodiscard]] bool moves_pointer(const Step& now) const {
    const Fact& base = now.store_base;
    return now.stores_to_heap && base.kind == Fact::Kind::loaded && base.steps == 1 && base.argument >= Fact::kKept &&
           base.value == place_.first && now.store_distance == place_.second;
  }

  void note(const Way& way, std::uint8_t session) {
    const bool can_be_probed = way.branch != 0 && (way.kept >> session & 1) != 0;
    const bool is_other = taker_ && (taker_->address != way.branch || taker_->session != session);
    is_unknown_ = is_unknown_ || !can_be_probed || is_other;
    taker_ = Taker{.address = way.branch, .session = session};
  }

  const ElfImage& image_;
  Decoder& decoder_;
  Budget& budget_;
  DataPlace place_;
  std::array<Way, kMostWaysBehind> ways_{};
  std::size_t count_ = 0;
  std::size_t steps_ = 0;
  std::optional<Taker> taker_;
  bool is_unknown_ = false;
};

}  // namespace

Takers::Takers(const ElfImage& image, Decoder& decoder, Budget& budget, std::uint64_t function, DataPlace place)
    : image_(image), decoder_(decoder), budget_(budget), place_(place) {
  image.for_each_code([&](std::uint64_t address, std::span<const std::uint8_t> code) {
    for_each_call(address, code, [&](std::uint64_t end, std::uint64_t target) {
      if (target == function && !is_unknown_) look_behind(end);
    });
  });
}

void Takers::look_behind(std::uint64_t call_end) {
  is_unknown_ = is_unknown_ || ++callers_ > kMostCallers;
  if (is_unknown_) return;
  Behind behind(image_, decoder_, budget_, place_);
  const auto taker = behind.find(call_end);
  is_unknown_ = is_unknown_ || behind.is_unknown();
  if (!taker) return;
  if (count_ == takers_.size()) {
    is_unknown_ = true;
  } else {
    takers_[count_++] = *taker;
  }
}

}  // namespace oisp
