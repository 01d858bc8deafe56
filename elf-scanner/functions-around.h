// The functions that given places in x86-64 code are in: by the table that exceptions are unwound with, or,
// where a program has none, by what is called: from the nearest such place before, each instruction is
// decoded, and one of them must begin at the given place.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "elf-scanner/decoder.h"
#include "elf-scanner/elf-image.h"
#include "elf-scanner/error-sites.h"
#include "elf-scanner/limits.h"

namespace oisp {

// Places in rising order, as many as there is room for.
struct Places {
  std::array<std::uint64_t, kMostCodePlaces> places{};
  std::size_t count = 0;

  void add(std::uint64_t place) {
    if (count < places.size()) places[count++] = place;
  }
  [[nodiscard]] bool is_full() const { return count == places.size(); }
  [[nodiscard]] std::span<const std::uint64_t> all() const { return std::span(places).first(count); }
};

class FunctionsAround {
 public:
  FunctionsAround(const ElfImage& image, Decoder& decoder, Budget& budget)
      : image_(image), decoder_(decoder), budget_(budget) {}

  // Looks once through all code. `places` must outlive it.
  void look_for(const Places& places);
  // Of the place with this number.
  [[nodiscard]] std::optional<Function> find(std::size_t number);

 private:
  static constexpr std::size_t kMostBefore = 8;
  // Called places, the nearest ones before first, and the nearest one behind.
  struct Called {
    std::array<std::uint64_t, kMostBefore> before{};
    std::size_t count = 0;
    std::uint64_t behind = 0;  // 0: none
  };

  void note(std::uint64_t target);
  static void note_before(Called& called, std::uint64_t target);
  [[nodiscard]] bool leads_to(std::uint64_t start, std::uint64_t place);

  const ElfImage& image_;
  Decoder& decoder_;
  Budget& budget_;
  std::span<const std::uint64_t> places_;
  std::array<Called, kMostCodePlaces> called_{};
};

}  // namespace oisp
