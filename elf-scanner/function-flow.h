// One function followed over all its ways: the errors it reports, with their numbers, and where it hands
// its caller's second argument on as a target, as a copy into a buffer does.
//
// The state at a place is a set: values that come from several ways by one call stay together (reason
// with line), until there are too many of them; then constants are forgotten there.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "elf-scanner/error-sites.h"
#include "elf-scanner/frame.h"

namespace oisp {

// A call to the error function, with all that is known of its arguments; one for each state.
struct ErrorCall {
  std::array<Fact, Frame::kArguments> arguments;
};

// A call whose first argument is the function's own second one, as it came.
struct CopyCall {
  std::uint64_t address = 0;
  bool is_direct = false;
  bool advances = false;  // afterwards something on the heap is written
  // The registers that still hold the function's first argument there, a bit each.
  std::uint32_t session_registers = 0;
  Fact source{};  // its second argument
};

struct FunctionFlow {
  std::uint64_t start = 0;
  bool is_complete = false;  // else a bound was met: more may be there
  std::uint8_t arguments_read = 0;
  std::array<ErrorCall, kMostErrorCalls> errors{};
  std::size_t error_count = 0;
  std::array<CopyCall, kMostCopies> copies{};
  std::size_t copy_count = 0;

  [[nodiscard]] std::span<const ErrorCall> all_errors() const { return std::span(errors).first(error_count); }
  [[nodiscard]] std::span<const CopyCall> all_copies() const { return std::span(copies).first(copy_count); }
};

// `first` is what is known at its start: Frame::at_entry, with or without loads.
FunctionFlow follow_function(const ElfImage& image, Decoder& decoder, Budget& budget, const CallTargets& targets,
                             std::uint64_t start, const Frame& first, std::uint64_t error_function);

// The beginning of the function that `site` is in: the nearest place before it that is called, and from
// which a way leads there.
std::optional<std::uint64_t> find_start(const ElfImage& image, Decoder& decoder, Budget& budget,
                                        const CallTargets& targets, std::uint64_t site);

}  // namespace oisp
