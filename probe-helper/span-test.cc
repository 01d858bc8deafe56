#include "probe-helper/span.h"

#include <capnp/serialize.h>
#include <linux/bpf.h>
#include <probe.capnp.h>

#include <cstring>
#include <numeric>
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

TEST_CASE("a span's head makes it a message that Cap'n Proto reads") {
  for (const std::size_t span_bytes : {std::size_t{8}, std::size_t{4096}, std::size_t{256 * 1024}}) {
    std::vector<std::byte> span(span_bytes);
    for (std::size_t i = 0; i < span.size(); ++i) span[i] = static_cast<std::byte>(i * 7);
    const SpanHead head = make_span_head(0x123456789abcdef0, span.size());
    std::vector<std::uint64_t> words((head.size() + span.size()) / 8);
    std::memcpy(words.data(), head.data(), head.size());
    std::memcpy(reinterpret_cast<std::byte*>(words.data()) + head.size(), span.data(), span.size());

    const kj::ArrayPtr<const capnp::word> whole(reinterpret_cast<const capnp::word*>(words.data()), words.size());
    capnp::FlatArrayMessageReader reader(whole, {.traversalLimitInWords = whole.size(), .nestingLimit = 4});
    const auto message = reader.getRoot<schema::FromHelper>();
    REQUIRE(message.which() == schema::FromHelper::RECORDS);
    CHECK(message.getRecords().getPosition() == 0x123456789abcdef0);
    const capnp::Data::Reader read = message.getRecords().getSpan();
    REQUIRE(read.size() == span.size());
    CHECK(std::memcmp(read.begin(), span.data(), span.size()) == 0);
    CHECK(reader.getEnd() == whole.end());
  }
}

TEST_CASE("what is left after any partial write goes on where it stopped") {
  std::vector<std::byte> all(64 + 48);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::byte>(i);
  const std::span<const std::byte> first(all.data(), 64);
  const std::span<const std::byte> second(all.data() + 64, 48);
  for (std::size_t sent = 0; sent <= all.size(); ++sent) {
    std::vector<std::byte> rest;
    for (const iovec& part : unsent_parts(first, second, sent)) {
      const auto* bytes = static_cast<const std::byte*>(part.iov_base);
      rest.insert(rest.end(), bytes, bytes + part.iov_len);
    }
    CHECK(rest == std::vector<std::byte>(all.begin() + static_cast<std::ptrdiff_t>(sent), all.end()));
  }
}

}  // namespace oisp
