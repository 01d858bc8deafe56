// A BPF ring buffer's memory, mapped: the kernel produces, this process alone consumes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/mapping.h"

namespace oisp {

inline constexpr std::size_t kRingHeaderBytes = 8;

// Bytes from the start of `ring` that are whole, committed records (headers and padding included),
// at most `most`. Looks at the kernel's 8-byte headers only.
std::size_t whole_records(std::span<const std::byte> ring, std::size_t most);

// The first record's payload; empty where the kernel discarded it.
std::span<const std::byte> first_payload(std::span<const std::byte> records);

class Ring {
 public:
  // `map` is the descriptor of the ring's map and stays the caller's.
  static Result<Ring> map(int map);
  [[nodiscard]] std::uint64_t size() const { return size_; }
  // Positions count bytes for the ring's life. Records between them may not be committed yet.
  [[nodiscard]] std::uint64_t consumer() const;
  [[nodiscard]] std::uint64_t producer() const;
  [[nodiscard]] bool is_empty() const { return consumer() == producer(); }
  // Whole records from the consumer position on, at most `most` bytes; contiguous, since the kernel
  // maps the ring twice in a row. Valid until consume().
  [[nodiscard]] std::span<const std::byte> records(std::size_t most) const;
  void consume(std::size_t bytes);

 private:
  Ring() = default;
  Mapping<std::uint64_t> consumer_;  // a page: the position
  Mapping<std::byte> producer_;      // a page with the position, then the ring twice
  std::size_t page_ = 0;
  std::size_t size_ = 0;
};

}  // namespace oisp
