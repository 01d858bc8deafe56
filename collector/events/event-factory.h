// Makes events: fills the envelope, lets the caller fill the rest, takes out secrets, gives a number,
// and serialises, once. Every event leaves through finish().
#pragma once

#include <capnp/message.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/event-loop/byte-stream.h"
#include "collector/correlate/process-table.h"
#include "collector/events/host-facts.h"
#include "collector/events/ulid.h"
#include "collector/redact/redactor.h"
#include "event.capnp.h"

namespace oisp {

// Where finished events go.
class EventOutlet {
 public:
  virtual ~EventOutlet() = default;
  [[nodiscard]] virtual std::uint64_t next_sequence() const = 0;
  // No sink waits for the events up to this one any more.
  [[nodiscard]] virtual std::uint64_t delivered() const = 0;
  virtual void push(Chunk event) = 0;
};

enum class CapturePoint { sensor, tracepoint, ssl_read, ssl_write, ssl_handshake, socket_read, socket_write };

// What an event is about: who did it, when, and how it was seen.
struct Origin {
  const Process* process = nullptr;  // null: the sensor itself
  std::uint32_t tid = 0;
  std::uint64_t boot_ns = 0;  // CLOCK_BOOTTIME
  CapturePoint point = CapturePoint::sensor;
};

class EventFactory {
 public:
  EventFactory(const HostFacts& host, Redactor& redactor, EventOutlet& outlet);
  ~EventFactory();

  // CLOCK_REALTIME - CLOCK_BOOTTIME.
  void set_clock_offset(std::int64_t offset_ns) { clock_offset_ns_ = offset_ns; }
  [[nodiscard]] std::uint64_t real_ns(std::uint64_t boot_ns) const;
  std::string make_id(std::uint64_t boot_ns) { return ulids_.make(real_ns(boot_ns) / 1'000'000); }

  // Makes one event; `fill` sets `data`, and what else it knows. Gives the event's id.
  template <typename Fill>
  std::string emit(const Origin& origin, Fill&& fill) {
    capnp::MallocMessageBuilder message(kj::arrayPtr(reinterpret_cast<capnp::word*>(scratch_.get()), kScratchWords));
    auto event = message.initRoot<schema::Event>();
    std::string id = begin(event, origin);
    fill(event);
    finish(message, event);
    return id;
  }

  [[nodiscard]] std::uint64_t next_sequence() const { return outlet_.next_sequence(); }
  [[nodiscard]] std::uint64_t delivered() const { return outlet_.delivered(); }
  // Events that were too large for a frame, even without their body.
  [[nodiscard]] std::uint64_t too_large() const { return too_large_; }

 private:
  static constexpr std::size_t kScratchWords = 4096;

  std::string begin(schema::Event::Builder event, const Origin& origin);
  void finish(capnp::MallocMessageBuilder& message, schema::Event::Builder event);

  const HostFacts& host_;
  Redactor& redactor_;
  EventOutlet& outlet_;
  UlidMaker ulids_;
  std::int64_t clock_offset_ns_ = 0;
  std::uint64_t too_large_ = 0;
  std::unique_ptr<std::uint64_t[]> scratch_;  // first segment of every message; zero between them
};

void fill_process(schema::Process::Builder builder, const Process& process, std::uint32_t tid);

}  // namespace oisp
