// What the helper writes and reads word by word is what Cap'n Proto makes of the schema.
#include "ipc-schema/helper-codec.h"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <probe.capnp.h>

#include <cstring>
#include <vector>

#include "tests/catch.h"

namespace oisp {
namespace {

using Frame = std::array<std::byte, kRequestBytes>;

Frame frame_of(capnp::MessageBuilder& message) {
  const kj::Array<capnp::word> words = capnp::messageToFlatArray(message);
  Frame frame{};
  REQUIRE(words.asBytes().size() == frame.size());
  std::memcpy(frame.data(), words.asBytes().begin(), frame.size());
  return frame;
}

Frame credit_frame(std::uint64_t bytes) {
  capnp::MallocMessageBuilder message;
  message.initRoot<schema::ToHelper>().setCredit(bytes);
  return frame_of(message);
}

}  // namespace

TEST_CASE("every kind of request is understood") {
  auto decoded = decode_request(credit_frame(4096));
  REQUIRE(decoded.has_value());
  CHECK(decoded->kind == CollectorRequest::Kind::credit);
  CHECK(decoded->credit_bytes == 4096);

  capnp::MallocMessageBuilder ignore;
  auto stream = ignore.initRoot<schema::ToHelper>().initIgnoreStream();
  stream.setTgid(7);
  stream.setSession(0xfffffffffffffff0);
  decoded = decode_request(frame_of(ignore));
  REQUIRE(decoded.has_value());
  CHECK(decoded->kind == CollectorRequest::Kind::ignore_stream);
  CHECK(decoded->tgid == 7);
  CHECK(decoded->session == 0xfffffffffffffff0);

  capnp::MallocMessageBuilder ask;
  ask.initRoot<schema::ToHelper>().setAskCounters();
  decoded = decode_request(frame_of(ask));
  REQUIRE(decoded.has_value());
  CHECK(decoded->kind == CollectorRequest::Kind::ask_counters);

  capnp::MallocMessageBuilder release;
  auto file = release.initRoot<schema::ToHelper>().initReleaseFile();
  file.setDevice(3);
  file.setInode(4);
  decoded = decode_request(frame_of(release));
  REQUIRE(decoded.has_value());
  CHECK(decoded->kind == CollectorRequest::Kind::release_file);
  CHECK(decoded->device == 3);
  CHECK(decoded->inode == 4);
}

TEST_CASE("what is no request is refused") {
  capnp::MallocMessageBuilder unset;
  unset.initRoot<schema::ToHelper>();
  CHECK_FALSE(decode_request(frame_of(unset)).has_value());
  // Any bit of the frame's shape that is another; the union's tag is below 8 in all that is known.
  for (std::size_t bit = 0; bit < 16 * 8 + 16; ++bit) {
    if (bit >= 16 * 8 && bit < 16 * 8 + 3) continue;
    Frame damaged = credit_frame(1);
    damaged[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
    CHECK_FALSE(decode_request(damaged).has_value());
  }
}

TEST_CASE("a head makes the bytes behind it a message that Cap'n Proto reads") {
  for (const std::size_t bytes : {std::size_t{8}, std::size_t{4096}, std::size_t{256 * 1024}}) {
    std::vector<std::byte> data(bytes);
    for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<std::byte>(i * 7);
    for (const HelperSays kind :
         {HelperSays::hello, HelperSays::records, HelperSays::file, HelperSays::counters, HelperSays::drained}) {
      const FrameHead head = make_frame_head(kind, 0x123456789abcdef0, bytes);
      std::vector<std::uint64_t> words((head.size() + bytes) / 8);
      std::memcpy(words.data(), head.data(), head.size());
      std::memcpy(reinterpret_cast<std::byte*>(words.data()) + head.size(), data.data(), bytes);

      const kj::ArrayPtr<const capnp::word> whole(reinterpret_cast<const capnp::word*>(words.data()), words.size());
      capnp::FlatArrayMessageReader reader(whole, {.traversalLimitInWords = whole.size(), .nestingLimit = 4});
      CHECK(reader.getEnd() == whole.end());
      const auto message = reader.getRoot<schema::FromHelper>();
      REQUIRE(static_cast<std::uint64_t>(message.which()) == static_cast<std::uint64_t>(kind));
      capnp::Data::Reader read;
      switch (message.which()) {
        case schema::FromHelper::HELLO:
          read = message.getHello();
          break;
        case schema::FromHelper::RECORDS:
          CHECK(message.getRecords().getPosition() == 0x123456789abcdef0);
          read = message.getRecords().getSpan();
          break;
        case schema::FromHelper::FILE:
          read = message.getFile();
          break;
        case schema::FromHelper::COUNTERS:
          read = message.getCounters();
          break;
        case schema::FromHelper::DRAINED:
          continue;
        case schema::FromHelper::UNSET:
          FAIL("an unset message");
      }
      REQUIRE(read.size() == bytes);
      CHECK(std::memcmp(read.begin(), data.data(), bytes) == 0);
    }
  }
}

}  // namespace oisp
