#include "elf-scanner/error-sites.h"

#include <algorithm>
#include <cstring>

#include "elf-scanner/frame.h"

namespace oisp {
namespace {

bool is_printable(std::uint8_t byte) { return byte >= 0x20 && byte < 0x7f; }

template <typename T>
T load(std::span<const std::uint8_t> code, std::size_t at) {
  T value;
  std::memcpy(&value, code.data() + at, sizeof value);
  return value;
}

// A distance of `bits` bits, counted in words of 4 bytes, that begins at `from` in an instruction word.
std::uint64_t word_distance(std::uint32_t word, unsigned from, unsigned bits) {
  const std::uint64_t shifted = std::uint64_t{word} << (64 - from - bits);
  return static_cast<std::uint64_t>(static_cast<std::int64_t>(shifted) >> (64 - bits)) * 4;
}

}  // namespace

ErrorSites::ErrorSites(const ElfImage& image, std::string_view file_name) : image_(image) {
  find_names(file_name);
  if (name_count_ == 0) return;
  image.for_each_code([this](std::uint64_t address, std::span<const std::uint8_t> code) {
    if (image_.machine() == Machine::x86_64) {
      find_references(address, code);
    } else {
      find_references_aarch64(address, code);
    }
  });
  std::sort(sites_.begin(), sites_.begin() + static_cast<std::ptrdiff_t>(site_count_));
}

bool ErrorSites::is_name(std::uint64_t address) const {
  const auto names = std::span(names_).first(name_count_);
  return std::find(names.begin(), names.end(), address) != names.end();
}

// Whole texts only: from the byte behind a NUL to the next NUL, the name alone or behind a slash.
void ErrorSites::find_names(std::string_view end) {
  constexpr std::size_t kLongest = 1024;
  image_.for_each_text([&](std::span<const std::uint8_t> text) {
    for (std::size_t from = 0; from < text.size() && name_count_ < names_.size();) {
      const void* found = ::memmem(text.data() + from, text.size() - from, end.data(), end.size());
      if (found == nullptr) break;
      const auto at = static_cast<std::size_t>(static_cast<const std::uint8_t*>(found) - text.data());
      from = at + end.size();
      if (from < text.size() && text[from] == 'c') ++from;
      if (from >= text.size() || text[from] != 0) continue;
      std::size_t begin = at;
      while (begin > 0 && at - begin < kLongest && is_printable(text[begin - 1])) --begin;
      const bool is_whole = (begin == 0 || text[begin - 1] == 0) && (begin == at || text[at - 1] == '/');
      const auto address = is_whole ? image_.address_of(&text[begin]) : std::nullopt;
      if (address) names_[name_count_++] = *address;
    }
    return name_count_ == names_.size();
  });
}

void ErrorSites::add_site(std::uint64_t address) {
  if (site_count_ < sites_.size()) sites_[site_count_++] = address;
}

// Where addresses are fixed, also mov r32, address.
void ErrorSites::find_references(std::uint64_t address, std::span<const std::uint8_t> code) {
  for_each_address(address, code, [this](std::uint64_t place, std::uint64_t target) {
    if (is_name(target)) add_site(place);
  });
  if (!image_.is_fixed()) return;
  for (const std::uint64_t name : std::span(names_).first(name_count_)) {
    const auto number = static_cast<std::uint32_t>(name);
    if (number != name) continue;
    for (std::size_t from = 0; from < code.size();) {
      const void* found = ::memmem(code.data() + from, code.size() - from, &number, sizeof number);
      if (found == nullptr) break;
      const auto at = static_cast<std::size_t>(static_cast<const std::uint8_t*>(found) - code.data());
      from = at + 1;
      if (at < 2 || (code[at - 1] & 0xf8) != 0xb8) continue;
      add_site(address + at - (code[at - 2] == 0x41 ? 2 : 1));
    }
  }
}

// adrp and add to the same register, not far apart; or adr, which the linker makes of them.
void ErrorSites::find_references_aarch64(std::uint64_t address, std::span<const std::uint8_t> code) {
  constexpr std::size_t kMostBetween = 16;
  const auto names = std::span(names_).first(name_count_);
  for (std::size_t i = 0; i + 4 <= code.size(); i += 4) {
    const auto word = load<std::uint32_t>(code, i);
    if ((word & 0x1f000000) != 0x10000000) continue;
    // 21 bits: 19 in the middle of the word, the low 2 near its top.
    const std::uint64_t distance = word_distance(word, 5, 19) + (word >> 29 & 3);
    const std::uint32_t reg = word & 31;
    if ((word >> 31) == 0) {
      if (is_name(address + i + distance)) add_site(address + i);
      continue;
    }
    const std::uint64_t page = ((address + i) & ~std::uint64_t{0xfff}) + (distance << 12);
    const bool is_near =
        std::any_of(names.begin(), names.end(), [&](std::uint64_t name) { return name - page < 4096; });
    if (!is_near) continue;
    for (std::size_t j = i + 4; j + 4 <= code.size() && j <= i + 4 * kMostBetween; j += 4) {
      const auto next = load<std::uint32_t>(code, j);
      if ((next & 0xffc00000) != 0x91000000 || (next >> 5 & 31) != reg) continue;
      if (is_name(page + (next >> 10 & 0xfff))) add_site(address + j);
      break;
    }
  }
}

std::optional<std::uint64_t> ErrorSites::find_error_function(Decoder& decoder, Budget& budget) const {
  constexpr std::size_t kMostBetween = 10;
  std::array<std::uint64_t, kMostErrorSites> callees{};
  std::size_t count = 0;
  for (const std::uint64_t site : sites()) {
    std::uint64_t address = site;
    for (std::size_t i = 0; i < kMostBetween && budget.take(); ++i) {
      const auto now = step(image_, decoder, address, nullptr);
      if (!now || now->kind == Step::Kind::end) break;
      if (now->kind == Step::Kind::call) {
        if (now->target) callees[count++] = *now->target;
        break;
      }
      if (now->kind == Step::Kind::jump && !now->target) break;
      address = now->kind == Step::Kind::jump ? *now->target : address + now->size;
    }
  }
  const auto found = std::span(callees).first(count);
  for (const std::uint64_t callee : found) {
    const auto same = static_cast<std::size_t>(std::count(found.begin(), found.end(), callee));
    if (same * 100 >= site_count_ * 60) return callee;
  }
  return std::nullopt;
}

CallTargets::CallTargets(const ElfImage& image, std::span<const std::uint64_t> places)
    : is_x86_(image.machine() == Machine::x86_64) {
  bool is_first = true;
  image.for_each_code([&](std::uint64_t address, std::span<const std::uint8_t>) {
    if (is_first || address < lowest_) lowest_ = address;
    is_first = false;
  });
  lowest_ &= ~((std::uint64_t{1} << kGranuleBits) - 1);
  for (const std::uint64_t place : places) {
    for (const std::int64_t near : {-1, 0, 1}) {
      keep_granule(place + (static_cast<std::uint64_t>(near) << kGranuleBits));
    }
  }
  image.for_each_code([this](std::uint64_t address, std::span<const std::uint8_t> code) { note_calls(address, code); });
}

void CallTargets::keep_granule(std::uint64_t address) {
  if (address < lowest_ || address - lowest_ >= kMostCodeBytes) return;
  std::uint8_t& number = granules_[(address - lowest_) >> kGranuleBits];
  if (number == 0 && granule_count_ < kMostGranules) number = ++granule_count_;
}

std::uint8_t CallTargets::granule_of(std::uint64_t address) const {
  const std::uint64_t distance = address - lowest_;
  return distance < kMostCodeBytes ? granules_[distance >> kGranuleBits] : std::uint8_t{0};
}

void CallTargets::note(std::uint64_t target) {
  const std::uint8_t granule = granule_of(target);
  if (granule == 0) return;
  const std::size_t bit = (target & ((std::uint64_t{1} << kGranuleBits) - 1)) / 4;
  std::uint8_t& byte = targets_[granule - 1u][bit / 8];
  byte = static_cast<std::uint8_t>(byte | 1u << bit % 8);
}

void CallTargets::note_calls(std::uint64_t address, std::span<const std::uint8_t> code) {
  if (is_x86_) {
    // Compilers align functions; a target that is not is another instruction's bytes.
    return for_each_call(address, code, [this](std::uint64_t, std::uint64_t target) {
      if (target % 16 == 0) note(target);
    });
  }
  for (std::size_t i = 0; i + 4 <= code.size(); i += 4) {
    const auto word = load<std::uint32_t>(code, i);
    if ((word >> 26) == 0x25) note(address + i + word_distance(word, 0, 26));
  }
}

bool CallTargets::contains(std::uint64_t address) const {
  const std::uint8_t granule = granule_of(address);
  if (granule == 0 || address % 4 != 0) return false;
  const std::size_t bit = (address & ((std::uint64_t{1} << kGranuleBits) - 1)) / 4;
  return (targets_[granule - 1u][bit / 8] >> bit % 8 & 1) != 0;
}

std::optional<std::uint64_t> CallTargets::find_before(std::uint64_t address, std::uint64_t from) const {
  const std::uint64_t grain = is_x86_ ? 16 : 4;
  for (address &= ~(grain - 1); from - address <= kMostFunctionBytes; address -= grain) {
    if (contains(address)) return address;
  }
  return std::nullopt;
}

}  // namespace oisp
