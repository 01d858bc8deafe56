#include "probe-helper/ring.h"

#include <linux/bpf.h>

#include <cstring>
#include <vector>

#include "tests/catch.h"

namespace oisp {
namespace {

// A ring's memory with records of these lengths; `flags` go into the last one's header.
std::vector<std::byte> ring_of(std::initializer_list<std::uint32_t> lengths, std::uint32_t flags = 0) {
  std::vector<std::uint64_t> words;
  std::size_t last = 0;
  for (const std::uint32_t length : lengths) {
    last = words.size();
    words.push_back(length);
    words.resize(words.size() + (length + 7) / 8, 0x1122334455667788);
  }
  words[last] |= flags;
  std::vector<std::byte> bytes(words.size() * 8);
  std::memcpy(bytes.data(), words.data(), bytes.size());
  return bytes;
}

}  // namespace

TEST_CASE("a span ends before a record that is not committed") {
  CHECK(whole_records(ring_of({16, 24}), 4096) == 24 + 32);
  CHECK(whole_records(ring_of({16, 24}, BPF_RINGBUF_BUSY_BIT), 4096) == 24);
  CHECK(whole_records(ring_of({16}, BPF_RINGBUF_BUSY_BIT), 4096) == 0);
  CHECK(whole_records({}, 4096) == 0);
}

TEST_CASE("a span holds whole records only, discarded ones and odd lengths included") {
  CHECK(whole_records(ring_of({16, 24}, BPF_RINGBUF_DISCARD_BIT), 4096) == 24 + 32);
  CHECK(whole_records(ring_of({13, 1}), 4096) == 24 + 16);
  for (std::size_t most = 0; most < 24; ++most) CHECK(whole_records(ring_of({16, 24}), most) == 0);
  for (std::size_t most = 24; most < 56; ++most) CHECK(whole_records(ring_of({16, 24}), most) == 24);
}

}  // namespace oisp
