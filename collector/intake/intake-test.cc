#include <capnp/message.h>
#include <capnp/serialize.h>

#include <algorithm>
#include <string>

#include "base/text-array.h"
#include "collector/correlate/client-hello.h"
#include "collector/intake/frame-buffer.h"
#include "collector/intake/probe-message.h"
#include "collector/intake/record.h"
#include "collector/intake/sequence-ledger.h"
#include "collector/limits.h"
#include "collector/test-records.h"
#include "probe.capnp.h"
#include "tests/catch.h"

using namespace oisp;
using oisp::test::SpanMaker;
using oisp::test::Who;

namespace {

// The frame that a helper would send: the span as the second segment.
std::vector<std::uint64_t> records_frame(std::uint64_t position, std::span<const std::byte> span) {
  capnp::MallocMessageBuilder message;
  auto records = message.initRoot<schema::FromHelper>().initRecords();
  records.setPosition(position);
  records.adoptSpan(message.getOrphanage().referenceExternalData(
      capnp::Data::Reader(reinterpret_cast<const kj::byte*>(span.data()), span.size())));
  const auto words = capnp::messageToFlatArray(message);
  std::vector<std::uint64_t> out(words.size());
  std::memcpy(out.data(), words.begin(), words.size() * 8);
  return out;
}

std::span<const std::byte> bytes_of(const std::vector<std::uint64_t>& words) { return std::as_bytes(std::span(words)); }

}  // namespace

TEST_CASE("frames come out whole, however the bytes arrive, and are viewed in place") {
  SpanMaker maker;
  maker.data({}, 1, 7, OISP_DIRECTION_WRITE, 0, "GET / HTTP/1.1\r\n\r\n");
  const auto frame = records_frame(4096, maker.span());
  for (const std::size_t part : {std::size_t{1}, std::size_t{7}, std::size_t{100}, std::size_t{5000}}) {
    FrameBuffer frames(limits::kMostProbeFrame, limits::kProbeBuffer);
    std::size_t whole = 0;
    std::vector<std::uint64_t> wire;
    for (int i = 0; i < 3000; ++i) wire.insert(wire.end(), frame.begin(), frame.end());
    const auto all = bytes_of(wire);
    const std::size_t end = part < 100 ? frame.size() * 8 * 20 : all.size();
    for (std::size_t at = 0; at < end;) {
      const auto space = frames.space();
      REQUIRE_FALSE(space.empty());
      const std::size_t count = std::min({part, space.size(), end - at});
      std::ranges::copy(all.subspan(at, count), space.begin());
      frames.received(count);
      at += count;
      while (true) {
        auto next = frames.next();
        REQUIRE(next.ok());
        if (!*next) break;
        ++whole;
        const auto message = decode_probe_message(**next);
        REQUIRE(message.ok());
        const auto& span = std::get<RecordSpan>(message.value());
        REQUIRE(span.position == 4096);
        REQUIRE(span.bytes.data() > (**next).data());
        REQUIRE(span.bytes.data() < (**next).data() + (**next).size());
        REQUIRE(std::ranges::equal(span.bytes, maker.span()));
      }
    }
    CHECK(whole == end / (frame.size() * 8));
  }
}

TEST_CASE("a frame with many segments or of too great a size is refused") {
  const auto check = [](std::vector<std::uint32_t> table, FrameError expected) {
    FrameBuffer frames(limits::kMostProbeFrame, limits::kProbeBuffer);
    const auto bytes = std::as_bytes(std::span(table));
    std::ranges::copy(bytes, frames.space().begin());
    frames.received(bytes.size());
    const auto next = frames.next();
    REQUIRE_FALSE(next.ok());
    CHECK(next.error() == expected);
  };
  check({2, 1, 1, 1}, FrameError::too_many_segments);
  check({UINT32_MAX, 1, 1, 1}, FrameError::too_many_segments);
  check({0, limits::kMostProbeFrame / 8 + 1}, FrameError::too_large);
  check({1, UINT32_MAX, UINT32_MAX, 0}, FrameError::too_large);
}

TEST_CASE("what a helper says is decoded into plain structs, and nonsense is refused") {
  const auto frame_of = [](capnp::MessageBuilder& message) {
    const auto words = capnp::messageToFlatArray(message);
    std::vector<std::uint64_t> frame(words.size());
    std::memcpy(frame.data(), words.begin(), words.size() * 8);
    return frame;
  };
  oisp_file_report report{.key = {.device = 5, .inode = 6}, .file = 0, .outcome = OISP_FILE_REFUSED};
  fill_text(report.reason, "no SSL_read");
  std::fill(std::begin(report.name), std::end(report.name), 'n');  // not terminated
  capnp::MallocMessageBuilder message;
  message.initRoot<schema::FromHelper>().setFile(oisp::test::data_of(report));
  const auto frame = frame_of(message);
  const auto decoded = decode_probe_message(bytes_of(frame));
  REQUIRE(decoded.ok());
  const auto& got = std::get<FileReport>(decoded.value());
  CHECK(got.key.device == 5);
  CHECK(got.outcome == FileOutcome::refused);
  CHECK(got.reason == "no SSL_read");
  CHECK(got.name == std::string(sizeof report.name, 'n'));
  // Every damaged word: either refused or decoded, never a crash.
  for (std::size_t i = 0; i < std::min<std::size_t>(frame.size(), 40); ++i) {
    for (const std::uint64_t value : {std::uint64_t{0}, UINT64_MAX, std::uint64_t{0x7fffffff'00000002}}) {
      auto damaged = frame;
      damaged[i] = value;
      (void)decode_probe_message(bytes_of(damaged));
    }
  }
  report.outcome = OISP_FILE_TABLE_FULL + 1;
  message.initRoot<schema::FromHelper>().setFile(oisp::test::data_of(report));
  CHECK_FALSE(decode_probe_message(bytes_of(frame_of(message))).ok());
  // A struct of another size than ours.
  message.initRoot<schema::FromHelper>().setCounters(oisp::test::data_of(report));
  CHECK_FALSE(decode_probe_message(bytes_of(frame_of(message))).ok());
  message.initRoot<schema::FromHelper>().initHello(sizeof(oisp_hello) - 8);
  CHECK_FALSE(decode_probe_message(bytes_of(frame_of(message))).ok());
}

TEST_CASE("a span is walked record by record, discarded ones are skipped") {
  SpanMaker maker;
  maker.data({}, 1, 7, OISP_DIRECTION_WRITE, 0, "abc");
  maker.discard(13);
  maker.exec({}, 2, "/usr/bin/true", std::string("true\0x\0", 7));
  maker.session({}, 3, 7, OISP_SESSION_NAME, 0, "api.openai.com");
  maker.client_hello({}, 4, 99, "api.openai.com");
  std::vector<Record> records;
  const SpanWalk walk = walk_span(maker.span(), [&](std::span<const std::byte> bytes) {
    const auto record = decode_record(bytes);
    REQUIRE(record.ok());
    records.push_back(record.value());
  });
  CHECK(walk.records == 4);
  CHECK(walk.discarded == 1);
  CHECK_FALSE(walk.broken);
  REQUIRE(records.size() == 4);
  const auto& data = std::get<TlsDataView>(records[0]);
  CHECK(std::string(data.payload.begin(), data.payload.end()) == "abc");
  const auto& exec = std::get<ExecView>(records[1]);
  CHECK(exec.path == "/usr/bin/true");
  CHECK(exec.cwd == "/home/ana");
  CHECK(exec.argv == std::string_view("true\0x\0", 7));
  CHECK(std::get<TlsSessionView>(records[2]).name == "api.openai.com");
  const auto hello = decode_client_hello(std::get<ClientHelloView>(records[3]).payload);
  REQUIRE(hello.ok());
  CHECK(hello.value().server_name == "api.openai.com");
  CHECK_FALSE(hello.value().offers_http2);
}

TEST_CASE("a span whose framing leads outside is left there") {
  SpanMaker maker;
  maker.exit({}, 1, 0);
  maker.exit({}, 2, 0);
  const auto count = [](std::span<const std::byte> span) { return walk_span(span, [](std::span<const std::byte>) {}); };
  const auto whole = maker.span();
  for (std::size_t size = whole.size() / 2 + 1; size < whole.size(); ++size) {
    const SpanWalk walk = count(whole.first(size));
    CHECK(walk.broken);
    CHECK(walk.records == 1);
  }
  std::vector<std::uint64_t> busy(4);
  busy[0] = kRingBusy | 8;
  CHECK(count(bytes_of(busy)).broken);
}

TEST_CASE("a record whose lengths disagree is refused") {
  const auto refused = [](auto change) {
    SpanMaker maker;
    maker.data({}, 1, 7, OISP_DIRECTION_WRITE, 0, "abcdefgh");
    std::vector<std::byte> copy(maker.span().begin(), maker.span().end());
    std::vector<std::uint64_t> words(copy.size() / 8);
    std::memcpy(words.data(), copy.data(), copy.size());
    auto& record = *reinterpret_cast<oisp_tls_data*>(words.data() + 1);
    change(record);
    return decode_record(std::as_bytes(std::span(words)).subspan(8)).ok() ? "taken" : "refused";
  };
  CHECK(refused([](oisp_tls_data&) {}) == std::string("taken"));
  CHECK(refused([](oisp_tls_data& r) {
          r.payload_length = 9;
          r.call_length = 100;
        }) == std::string("refused"));
  CHECK(refused([](oisp_tls_data& r) {
          r.payload_length = UINT32_MAX;
          r.call_length = UINT32_MAX;
        }) == std::string("refused"));
  CHECK(refused([](oisp_tls_data& r) { r.call_offset = UINT32_MAX; }) == std::string("refused"));
  CHECK(refused([](oisp_tls_data& r) { r.header.length = UINT32_MAX; }) == std::string("refused"));
  CHECK(refused([](oisp_tls_data& r) { r.header.length = 87; }) == std::string("refused"));
  CHECK(refused([](oisp_tls_data& r) { r.header.length -= 1; }) == std::string("refused"));
  CHECK(refused([](oisp_tls_data& r) { r.header.version = 2; }) == std::string("refused"));
  CHECK(refused([](oisp_tls_data& r) { r.header.kind = 99; }) == std::string("refused"));
  CHECK(refused([](oisp_tls_data& r) { r.header.cpu = 100000; }) == std::string("refused"));
  CHECK(refused([](oisp_tls_data& r) { r.direction = 2; }) == std::string("refused"));
}

TEST_CASE("holes in the sequence are what was lost") {
  SequenceLedger ledger(true);
  ledger.note(OISP_FAMILY_TLS, 0, 0);
  ledger.note(OISP_FAMILY_TLS, 1, 2);  // 0 and 1 of this CPU were lost
  ledger.note(OISP_FAMILY_TLS, 0, 3);
  CHECK(ledger.holes(OISP_FAMILY_TLS) == 4);
  ledger.note(OISP_FAMILY_TLS, 0, 2);  // late, not lost
  CHECK(ledger.holes(OISP_FAMILY_TLS) == 3);
  CHECK(ledger.seen(OISP_FAMILY_TLS) == 4);
  CHECK(ledger.holes(OISP_FAMILY_PROCESS) == 0);
  ledger.begin_again();
  ledger.note(OISP_FAMILY_TLS, 0, 0);
  CHECK(ledger.holes(OISP_FAMILY_TLS) == 0);
  CHECK(ledger.seen(OISP_FAMILY_TLS) == 1);

  SequenceLedger later(false);  // what lies before is another's
  later.note(OISP_FAMILY_TLS, 0, 1000);
  later.note(OISP_FAMILY_TLS, 0, 1002);
  CHECK(later.holes(OISP_FAMILY_TLS) == 1);
}

TEST_CASE("a ClientHello may be cut anywhere, and may be anything") {
  const std::string hello = SpanMaker::hello_bytes("api.anthropic.com");
  const auto decode = [](std::string_view bytes) {
    return decode_client_hello({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
  };
  REQUIRE(decode(hello).ok());
  CHECK(decode(hello).value().server_name == "api.anthropic.com");
  for (std::size_t size = 0; size < hello.size(); ++size) {
    const auto got = decode(hello.substr(0, size));
    CHECK((!got.ok() || got.value().server_name.empty()));
  }
  CHECK_FALSE(decode("GET / HTTP/1.1\r\n").ok());
  CHECK(decode(SpanMaker::hello_bytes("bad name\n")).value().server_name.empty());
}
