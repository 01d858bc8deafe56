// Places in a program without symbols where a given source file reports errors. Libraries that call an
// error function with the file's name leave that name in the program, and code that takes its address.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

#include "elf-scanner/decoder.h"
#include "elf-scanner/elf-image.h"
#include "elf-scanner/limits.h"

namespace oisp {

// Calls visit(i) for each place of a byte in the code.
template <typename Visit>
void for_each_byte(std::span<const std::uint8_t> code, std::uint8_t byte, Visit&& visit) {
  for (std::size_t i = 0; i < code.size(); ++i) {
    const void* found = std::memchr(code.data() + i, byte, code.size() - i);
    if (found == nullptr) return;
    i = static_cast<std::size_t>(static_cast<const std::uint8_t*>(found) - code.data());
    visit(i);
  }
}

// Calls visit(end, target) for what may be a direct call in x86-64 code that begins at `address`.
template <typename Visit>
void for_each_call(std::uint64_t address, std::span<const std::uint8_t> code, Visit&& visit) {
  constexpr std::size_t kCallBytes = 5;
  for_each_byte(code, 0xe8, [&](std::size_t i) {
    if (code.size() - i < kCallBytes) return;
    std::int32_t distance = 0;
    std::memcpy(&distance, &code[i + 1], sizeof distance);
    const std::uint64_t end = address + i + kCallBytes;
    visit(end, end + static_cast<std::uint64_t>(std::int64_t{distance}));
  });
}

// Calls visit(place, target) for what may be a `lea r64, [rip + distance]` in x86-64 code that begins at `address`.
template <typename Visit>
void for_each_address(std::uint64_t address, std::span<const std::uint8_t> code, Visit&& visit) {
  for_each_byte(code, 0x8d, [&](std::size_t i) {
    if (i == 0 || code.size() - i < 6 || (code[i - 1] & 0xfb) != 0x48 || (code[i + 1] & 0xc7) != 0x05) return;
    std::int32_t distance = 0;
    std::memcpy(&distance, &code[i + 2], sizeof distance);
    visit(address + i - 1, address + i + 6 + static_cast<std::uint64_t>(std::int64_t{distance}));
  });
}

// Instructions that hostile code may cost in one scan.
struct Budget {
  std::size_t steps = kMostFlowSteps;

  // Takes one; false where there is none left.
  bool take() {
    if (steps == 0) return false;
    --steps;
    return true;
  }
};

class ErrorSites {
 public:
  // `file_name` is the end of the name in C, as in "ssl_lib.c"; C++ has one more c.
  ErrorSites(const ElfImage& image, std::string_view file_name);

  // Where the code takes the address of a file name, in rising order.
  [[nodiscard]] std::span<const std::uint64_t> sites() const { return std::span(sites_).first(site_count_); }
  [[nodiscard]] bool has_names() const { return name_count_ > 0; }
  [[nodiscard]] bool is_name(std::uint64_t address) const;

  // The function that most sites (60 of 100 at least) call next.
  [[nodiscard]] std::optional<std::uint64_t> find_error_function(Decoder& decoder, Budget& budget) const;

 private:
  void find_names(std::string_view end);
  void find_references(std::uint64_t address, std::span<const std::uint8_t> code);
  void find_references_aarch64(std::uint64_t address, std::span<const std::uint8_t> code);
  void add_site(std::uint64_t address);

  const ElfImage& image_;
  std::array<std::uint64_t, kMostFileNames> names_{};
  std::size_t name_count_ = 0;
  std::array<std::uint64_t, kMostErrorSites> sites_{};
  std::size_t site_count_ = 0;
};

// What code near given places is called directly: where functions begin.
class CallTargets {
 public:
  CallTargets(const ElfImage& image, std::span<const std::uint64_t> places);

  [[nodiscard]] bool contains(std::uint64_t address) const;
  // The nearest one at or before `address`, not farther than kMostFunctionBytes before `from`.
  [[nodiscard]] std::optional<std::uint64_t> find_before(std::uint64_t address, std::uint64_t from) const;

 private:
  // The code is seen in granules; only those near the places are kept, a bit for each possible target.
  static constexpr unsigned kGranuleBits = 15;
  static constexpr std::size_t kMostGranules = 255;
  static constexpr std::size_t kTargetsInGranule = (std::size_t{1} << kGranuleBits) / 4;

  void keep_granule(std::uint64_t address);
  void note_calls(std::uint64_t address, std::span<const std::uint8_t> code);
  [[nodiscard]] std::uint8_t granule_of(std::uint64_t address) const;
  void note(std::uint64_t target);

  bool is_x86_;
  std::uint64_t lowest_ = 0;
  std::array<std::uint8_t, (kMostCodeBytes >> kGranuleBits)> granules_{};  // number of the kept one, from 1
  std::array<std::array<std::uint8_t, kTargetsInGranule / 8>, kMostGranules> targets_{};
  std::uint8_t granule_count_ = 0;
};

}  // namespace oisp
