#include "ipc-schema/helper-codec.h"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <kj/exception.h>
#include <probe.capnp.h>

#include <array>
#include <cstring>

#include "base/text-array.h"

namespace oisp {
namespace {

// The deepest request is one struct without pointers.
constexpr std::uint64_t kMostWords = kMostRequestBytes / sizeof(capnp::word);
constexpr std::size_t kHeadBytes = 8;

Frame frame_of(capnp::MessageBuilder& message) {
  const kj::Array<capnp::word> words = capnp::messageToFlatArray(message);
  const auto bytes = words.asBytes();
  Frame frame(bytes.size());
  std::memcpy(frame.data(), bytes.begin(), bytes.size());
  return frame;
}

capnp::Text::Reader text_of(const std::string& text) { return {text.c_str(), text.size()}; }

std::optional<CollectorRequest> request_of(schema::ToHelper::Reader reader) {
  CollectorRequest request;
  switch (reader.which()) {
    case schema::ToHelper::UNSET:
      return {};
    case schema::ToHelper::CREDIT:
      request.kind = CollectorRequest::Kind::credit;
      request.credit_bytes = reader.getCredit();
      return request;
    case schema::ToHelper::IGNORE_STREAM:
      request.kind = CollectorRequest::Kind::ignore_stream;
      request.tgid = reader.getIgnoreStream().getTgid();
      request.session = reader.getIgnoreStream().getSession();
      return request;
    case schema::ToHelper::ASK_COUNTERS:
      request.kind = CollectorRequest::Kind::ask_counters;
      return request;
    case schema::ToHelper::RELEASE_FILE:
      request.kind = CollectorRequest::Kind::release_file;
      request.device = reader.getReleaseFile().getDevice();
      request.inode = reader.getReleaseFile().getInode();
      return request;
  }
  return {};
}

}  // namespace

Frame encode_hello(const HelperHello& hello) {
  capnp::MallocMessageBuilder message;
  auto root = message.initRoot<schema::FromHelper>().initHello();
  root.setBootTimeOffsetNs(hello.boot_time_offset_ns);
  root.setUprobes(text_of(std::string(hello.uprobes)));
  root.setMaxCapture(hello.max_capture);
  root.setRingBytes(hello.ring_bytes);
  root.setAdopted(hello.adopted);
  auto missing = root.initMissing(static_cast<unsigned>(hello.missing.size()));
  for (unsigned i = 0; i < missing.size(); ++i) missing.set(i, text_of(hello.missing[i]));
  return frame_of(message);
}

Frame encode_file_report(const oisp_file_entry& file, std::uint32_t number) {
  capnp::MallocMessageBuilder message;
  auto root = message.initRoot<schema::FromHelper>().initFile();
  root.setDevice(file.key.device);
  root.setInode(file.key.inode);
  root.setFile(number);
  root.setOutcome(static_cast<schema::FileReport::Outcome>(file.outcome));
  root.setError(file.error);
  root.setSites(file.site_count);
  root.setFamily(text_of(std::string(view_text(file.family))));
  root.setReason(text_of(std::string(view_text(file.reason))));
  root.setName(text_of(std::string(view_text(file.name))));
  return frame_of(message);
}

Frame encode_counters(std::span<const std::uint64_t> values) {
  capnp::MallocMessageBuilder message;
  auto list = message.initRoot<schema::FromHelper>().initCounters().initValues(static_cast<unsigned>(values.size()));
  for (unsigned i = 0; i < list.size(); ++i) list.set(i, values[i]);
  return frame_of(message);
}

Frame encode_drained() {
  capnp::MallocMessageBuilder message;
  message.initRoot<schema::FromHelper>().setDrained();
  return frame_of(message);
}

Result<std::optional<DecodedRequest>, DecodeError> decode_request(std::span<const std::byte> bytes) {
  if (bytes.size() < kHeadBytes) return std::optional<DecodedRequest>{};
  std::uint32_t more_segments = 0;
  std::uint32_t words = 0;
  std::memcpy(&more_segments, bytes.data(), sizeof more_segments);
  std::memcpy(&words, bytes.data() + sizeof more_segments, sizeof words);
  if (more_segments != 0 || words == 0 || words >= kMostWords) return DecodeError::malformed;
  const std::size_t frame_bytes = kHeadBytes + words * sizeof(capnp::word);
  if (bytes.size() < frame_bytes) return std::optional<DecodedRequest>{};
  // The input need not be aligned for words.
  std::array<capnp::word, kMostWords> copy;
  std::memcpy(copy.data(), bytes.data() + kHeadBytes, words * sizeof(capnp::word));
  try {
    const kj::ArrayPtr<const capnp::word> segment(copy.data(), words);
    const kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments(&segment, 1);
    capnp::SegmentArrayMessageReader reader(segments, {.traversalLimitInWords = kMostWords, .nestingLimit = 4});
    const std::optional<CollectorRequest> request = request_of(reader.getRoot<schema::ToHelper>());
    if (!request) return DecodeError::malformed;
    return std::optional<DecodedRequest>{DecodedRequest{.request = *request, .frame_bytes = frame_bytes}};
  } catch (const kj::Exception&) {
    return DecodeError::malformed;
  }
}

}  // namespace oisp
