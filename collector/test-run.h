// A whole run of the collector, with its launcher, helper and exporter played: records in, events out.
#pragma once

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <fcntl.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/event-loop/timer.h"
#include "base/text-array.h"
#include "collector/frame.h"
#include "collector/session.h"
#include "collector/test-records.h"
#include "event.capnp.h"
#include "export.capnp.h"
#include "ipc-schema/event-json.h"
#include "ipc-schema/sink.h"
#include "ipc-schema/stream-pair.h"
#include "probe.capnp.h"
#include "tests/catch.h"

namespace oisp::test {

// The other end of a byte stream that carries Cap'n Proto frames.
class Peer : public ByteStream::Listener {
 public:
  using Take = std::function<void(capnp::FlatArrayMessageReader&)>;

  Peer(Loop& loop, OwnedFd fd, Take take)
      : take_(std::move(take)), stream_(ByteStream::make(loop, std::move(fd), *this).value()) {}

  void send(capnp::MessageBuilder& message) { stream_->write(frame_of(message)); }
  bool ended = false;

 private:
  std::span<std::byte> read_space() override {
    buffer_.resize(filled_ + 65536);
    return std::span(buffer_).subspan(filled_);
  }
  bool on_bytes(std::size_t bytes) override {
    filled_ += bytes;
    while (filled_ >= 8) {
      const auto words = kj::arrayPtr(reinterpret_cast<const capnp::word*>(buffer_.data()), filled_ / 8);
      const std::size_t size = capnp::expectedSizeInWordsFromPrefix(words);
      if (size > words.size()) return true;
      capnp::FlatArrayMessageReader reader(words.slice(0, size));
      take_(reader);
      buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(size * 8));
      filled_ -= size * 8;
    }
    return true;
  }
  void on_end() override {
    ended = true;
    stream_.reset();
  }

  Take take_;
  std::vector<std::byte> buffer_;
  std::size_t filled_ = 0;
  std::unique_ptr<ByteStream> stream_;
};

struct Event {
  std::string json;
  std::string type;
  std::uint64_t sequence = 0;
};

class Run {
 public:
  explicit Run(std::vector<std::pair<std::string, std::string>> config = {}) {
    auto orders = make_order_pair().value();
    launcher_ = std::move(orders.a);
    REQUIRE(::fcntl(launcher_.get(), F_SETFL, O_NONBLOCK) == 0);
    REQUIRE(session.listen(std::move(orders.b)).ok());
    config.emplace_back("scope", "claude[4121] as ana, and its descendants");
    for (const auto& [key, value] : config) {
      Order order{.kind = OrderKind::config};
      order.set_name(key);
      order.set_text(value);
      REQUIRE(send_order(launcher_.get(), order).ok());
    }
  }

  void connect_exporter(std::uint64_t kept = 0) {
    auto pair = make_stream_pair(0).value();
    Order order{.kind = OrderKind::sink, .detail = static_cast<std::int32_t>(SinkKind::jsonl)};
    order.set_name("jsonl");
    REQUIRE(send_order(launcher_.get(), order, pair.a.get()).ok());
    exporter = std::make_unique<Peer>(*loop, std::move(pair.b), [this](auto& reader) { on_export(reader); });
    kept_ = kept;
  }

  void connect_helper(bool adopted = false, std::vector<std::string> missing = {}) {
    auto pair = make_stream_pair(0).value();
    REQUIRE(send_order(launcher_.get(), {.kind = OrderKind::helper}, pair.a.get()).ok());
    helper = std::make_unique<Peer>(*loop, std::move(pair.b), [this](auto& reader) {
      const auto message = reader.template getRoot<schema::ToHelper>();
      if (message.isCredit()) credit += message.getCredit();
      if (message.isReleaseFile()) released.push_back(message.getReleaseFile().getInode());
      if (message.isIgnoreStream()) ignored.push_back(message.getIgnoreStream().getSession());
    });
    constexpr const char* kHooks[] = OISP_HOOKS;
    oisp_hello hello{};
    hello.boot_time_offset_ns = 1'767'434'400 * static_cast<std::int64_t>(kSecond);
    hello.uprobe_multi = 1;
    hello.adopted = adopted ? 1 : 0;
    for (unsigned i = 0; i < std::size(kHooks); ++i) {
      if (std::find(missing.begin(), missing.end(), kHooks[i]) != missing.end()) hello.missing_hooks |= 1u << i;
    }
    capnp::MallocMessageBuilder message;
    message.initRoot<schema::FromHelper>().setHello(data_of(hello));
    helper->send(message);
  }

  // What an earlier run may have left.
  void give_memory(const OwnedFd& memory) {
    REQUIRE(send_order(launcher_.get(), {.kind = OrderKind::adopt}, memory.get()).ok());
  }
  void leave() { launcher_.reset(); }
  void begin() { REQUIRE(send_order(launcher_.get(), {.kind = OrderKind::begin}).ok()); }

  void send_records() {
    capnp::MallocMessageBuilder message;
    auto group = message.initRoot<schema::FromHelper>().initRecords();
    group.setPosition(position);
    group.adoptSpan(message.getOrphanage().referenceExternalData(
        capnp::Data::Reader(reinterpret_cast<const kj::byte*>(records.span().data()), records.span().size())));
    helper->send(message);
    position += records.span().size();
    records.clear();
  }

  void send_file(oisp_file_key key, std::uint32_t outcome, const char* family, const char* name,
                 const char* reason = "", std::uint32_t number = 0) {
    oisp_file_report report{.key = key, .file = number, .outcome = outcome, .error = 0, .sites = 12};
    fill_text(report.family, family);
    fill_text(report.reason, reason);
    fill_text(report.name, name);
    capnp::MallocMessageBuilder message;
    message.initRoot<schema::FromHelper>().setFile(data_of(report));
    helper->send(message);
  }

  void finish(std::uint64_t wait_status = 0) {
    send_end(wait_status);
    run_until([this] { return session.done(); });
    REQUIRE(session.done());
    run_until([this] { return finished; });
  }

  void send_end(std::uint64_t wait_status = 0) {
    REQUIRE(send_order(launcher_.get(), {.kind = OrderKind::finish, .detail = 0, .value = wait_status}).ok());
    oisp_counters sums{};
    for (unsigned family = 0; family < OISP_FAMILY_COUNT; ++family) {
      sums.sequence[family] = records.sequence[family];
      sums.dropped[family] = dropped[family];
    }
    capnp::MallocMessageBuilder counters;
    counters.initRoot<schema::FromHelper>().setCounters(data_of(sums));
    helper->send(counters);
    capnp::MallocMessageBuilder drained;
    drained.initRoot<schema::FromHelper>().setDrained();
    helper->send(drained);
  }

  void run_until(const std::function<bool()>& enough) {
    int turns = 10000;
    bool had = enough();  // asked no more once it is: asking may take what it asks for
    Timer timer(*loop, [&] {
      had = had || enough();
      if (had || --turns == 0) loop->stop();
    });
    timer.start(0, 1);
    while (!had && turns > 0) loop->run();
  }

  // Events of a type, as JSON.
  std::vector<std::string> of(std::string_view type) const {
    std::vector<std::string> found;
    for (const Event& event : events) {
      if (event.type == type) found.push_back(event.json);
    }
    return found;
  }
  std::string only(std::string_view type) const {
    const auto found = of(type);
    CAPTURE(type);
    REQUIRE(found.size() == 1);
    return found[0];
  }
  std::optional<Order> answer() {
    auto received = receive_order(launcher_.get());
    if (!received.ok() || !*received) return {};
    return (*received)->order;
  }

  std::unique_ptr<Loop> loop = Loop::make().value();
  HostFacts host{.hostname = "n1",
                 .device_id = "0f",
                 .os_version = "Debian GNU/Linux 12 (bookworm)",
                 .arch = "x86_64",
                 .kernel_version = "6.1.0",
                 .boot_id = "b-1",
                 .users = {{1000, "ana"}}};
  Redactor redactor;
  std::unique_ptr<Peer> helper;
  std::unique_ptr<Peer> exporter;
  SpanMaker records;
  std::uint64_t position = 0;
  std::uint64_t dropped[OISP_FAMILY_COUNT] = {};
  std::uint64_t credit = 0;
  std::vector<std::uint64_t> released;  // inodes
  std::vector<std::uint64_t> ignored;   // sessions
  std::vector<Event> events;
  bool finished = false;
  Session session{*loop, host, redactor};

 private:
  void on_export(capnp::FlatArrayMessageReader& reader) {
    const auto message = reader.getRoot<schema::ToExporter>();
    capnp::MallocMessageBuilder answer;
    if (message.isHello()) {
      auto hello = answer.initRoot<schema::FromExporter>().initHello();
      hello.setKept(kept_);
      hello.setHasKept(kept_ != 0);
      exporter->send(answer);
    }
    if (message.isFinish()) finished = true;
    if (!message.isBatch()) return;
    std::uint64_t sequence = message.getBatch().getFirstSequence();
    for (const auto data : message.getBatch().getEvents()) {
      capnp::FlatArrayMessageReader event_reader(
          kj::arrayPtr(reinterpret_cast<const capnp::word*>(data.begin()), data.size() / 8));
      const auto event = event_reader.getRoot<schema::Event>();
      CHECK(event.getExt().getOispSensor().getSequence() == sequence);
      std::string json = render_event_json(event);
      const std::size_t at = json.find("\"event_type\":\"") + 14;
      events.push_back({.json = json, .type = json.substr(at, json.find('"', at) - at), .sequence = sequence++});
    }
    answer.initRoot<schema::FromExporter>().setAcknowledge(sequence - 1);
    exporter->send(answer);
  }

  OwnedFd launcher_;
  std::uint64_t kept_ = 0;
};

inline bool has(const std::string& json, std::string_view part) { return json.find(part) != std::string::npos; }

}  // namespace oisp::test
