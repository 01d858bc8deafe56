#include "ipc-schema/helper-codec.h"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <probe.capnp.h>

#include <cstring>

#include "tests/catch.h"

namespace oisp {
namespace {

Frame frame_of(capnp::MessageBuilder& message) {
  const kj::Array<capnp::word> words = capnp::messageToFlatArray(message);
  Frame frame(words.asBytes().size());
  std::memcpy(frame.data(), words.asBytes().begin(), frame.size());
  return frame;
}

Frame credit_frame(std::uint64_t bytes) {
  capnp::MallocMessageBuilder message;
  message.initRoot<schema::ToHelper>().setCredit(bytes);
  return frame_of(message);
}

}  // namespace

TEST_CASE("a request is decoded once it is whole, at any alignment") {
  const Frame frame = credit_frame(4096);
  for (std::size_t size = 0; size < frame.size(); ++size) {
    auto decoded = decode_request({frame.data(), size});
    REQUIRE(decoded.ok());
    CHECK_FALSE(decoded.value().has_value());
  }
  Frame twice(1);
  twice.insert(twice.end(), frame.begin(), frame.end());
  twice.insert(twice.end(), frame.begin(), frame.end());
  auto decoded = decode_request({twice.data() + 1, twice.size() - 1});
  REQUIRE(decoded.ok());
  REQUIRE(decoded.value().has_value());
  CHECK(decoded.value()->request.kind == CollectorRequest::Kind::credit);
  CHECK(decoded.value()->request.credit_bytes == 4096);
  CHECK(decoded.value()->frame_bytes == frame.size());
}

TEST_CASE("every kind of request is understood") {
  capnp::MallocMessageBuilder ignore;
  auto stream = ignore.initRoot<schema::ToHelper>().initIgnoreStream();
  stream.setTgid(7);
  stream.setSession(0xfffffffffffffff0);
  auto decoded = decode_request(frame_of(ignore));
  REQUIRE(decoded.ok());
  CHECK(decoded.value()->request.kind == CollectorRequest::Kind::ignore_stream);
  CHECK(decoded.value()->request.tgid == 7);
  CHECK(decoded.value()->request.session == 0xfffffffffffffff0);

  capnp::MallocMessageBuilder release;
  auto file = release.initRoot<schema::ToHelper>().initReleaseFile();
  file.setDevice(3);
  file.setInode(4);
  decoded = decode_request(frame_of(release));
  REQUIRE(decoded.ok());
  CHECK(decoded.value()->request.kind == CollectorRequest::Kind::release_file);
  CHECK(decoded.value()->request.device == 3);
  CHECK(decoded.value()->request.inode == 4);
}

TEST_CASE("what is no request is malformed") {
  capnp::MallocMessageBuilder unset;
  unset.initRoot<schema::ToHelper>();
  CHECK_FALSE(decode_request(frame_of(unset)).ok());

  Frame unknown = credit_frame(1);
  unknown[16] = static_cast<std::byte>(200);  // the union's tag
  CHECK_FALSE(decode_request(unknown).ok());

  Frame many_segments = credit_frame(1);
  many_segments[0] = static_cast<std::byte>(1);
  CHECK_FALSE(decode_request(many_segments).ok());

  Frame huge = credit_frame(1);
  huge[6] = static_cast<std::byte>(1);
  CHECK_FALSE(decode_request(huge).ok());

  Frame bad_pointer = credit_frame(1);
  bad_pointer[8] = static_cast<std::byte>(0xfc);
  CHECK_FALSE(decode_request(bad_pointer).ok());
}

}  // namespace oisp
