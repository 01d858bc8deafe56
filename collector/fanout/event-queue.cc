#include "collector/fanout/event-queue.h"

#include <capnp/message.h>

#include <cstring>

#include "base/bug.h"
#include "collector/frame.h"
#include "export.capnp.h"

namespace oisp {

Chunk make_batch_frame(const EventQueue& queue, std::uint64_t from, std::uint64_t to, bool acknowledge_now) {
  std::size_t words = 64;  // root, union, batch, list pointer
  for (std::uint64_t i = from; i < to; ++i) words += 1 + (queue.at(i).bytes + 7) / 8;
  // One segment of known size, in the frame itself: each event is copied once.
  Chunk frame = Chunk::make((words + 1) * sizeof(capnp::word));
  std::memset(frame.words.get(), 0, frame.bytes);
  capnp::FlatMessageBuilder message(kj::arrayPtr(reinterpret_cast<capnp::word*>(frame.words.get() + 1), words));
  auto batch = message.initRoot<schema::ToExporter>().initBatch();
  batch.setFirstSequence(from);
  batch.setAcknowledgeNow(acknowledge_now);
  auto events = batch.initEvents(static_cast<unsigned>(to - from));
  for (std::uint64_t i = from; i < to; ++i) {
    const auto bytes = queue.at(i).span();
    events.set(static_cast<unsigned>(i - from),
               capnp::Data::Reader(reinterpret_cast<const kj::byte*>(bytes.data()), bytes.size()));
  }
  const auto segments = message.getSegmentsForOutput();
  OISP_BUG_IF(segments.size() != 1);
  frame.words[0] = std::uint64_t{segments[0].size()} << 32;  // one segment, and its size
  frame.bytes = (1 + segments[0].size()) * sizeof(capnp::word);
  return frame;
}

}  // namespace oisp
