#include "collector/streams/stream.h"

#include <algorithm>
#include <utility>

namespace oisp {

Stream::Stream(StreamFacts facts_now, Observer& observer, const HttpLimits& http_limits)
    : facts(std::move(facts_now)), observer_(observer), http_(*this, http_limits) {}

void Stream::mark_joined_late() {
  if (std::exchange(facts.joined_late, true)) return;
  http_.on_gap(Direction::read, 0, Missing::joined_late);
  http_.on_gap(Direction::write, 0, Missing::joined_late);
}

void Stream::skip(Direction direction, std::uint64_t bytes, Missing cause) {
  http_.on_gap(direction, bytes, cause);
  if (cause == Missing::cut) {
    observer_.on_bytes_cut(bytes);
  } else if (cause == Missing::lost) {
    observer_.on_bytes_lost(bytes);
  }
}

bool Stream::on_data(const TlsDataView& view) {
  const oisp_tls_data& data = *view.fixed;
  const std::uint64_t begin = data.stream_offset + data.call_offset;
  const std::uint64_t call_end = data.stream_offset + data.call_length;
  const bool writes = data.direction == OISP_DIRECTION_WRITE;
  const Direction direction = writes ? Direction::write : Direction::read;
  std::uint64_t& next = next_offset_[data.direction];
  if (begin < next) return false;
  if (begin > next) {
    if (!facts.bytes_seen && facts.joined_late) {
      http_.on_gap(direction, begin - next, Missing::joined_late);
    } else {
      skip(direction, begin - next, Missing::lost);
    }
  }
  note_first(view);
  facts.bytes_seen = true;
  facts.tid = data.header.tid;
  facts.plaintext[data.direction] += view.payload.size();
  if (!view.payload.empty()) {
    http_.on_bytes(
        direction, {reinterpret_cast<const char*>(view.payload.data()), view.payload.size()},
        {.entry_ns = data.header.entry_ns,
         .return_ns = data.header.return_ns,
         .other_is_behind = data.other_offset > next_offset_[writes ? OISP_DIRECTION_READ : OISP_DIRECTION_WRITE]});
  }
  next = begin + view.payload.size();
  // The rest of a call that was cut is known to be missing at its last chunk. Of a chunk that could not
  // be read, the next one shows what is missing, or the call's end does.
  const bool last = (data.header.flags & OISP_FLAG_LAST_OF_CALL) != 0;
  if (last && call_end > next) {
    const bool unseen = (data.header.flags & OISP_FLAG_UNSEEN) != 0;
    if (unseen) facts.unseen_bytes += call_end - next;
    skip(direction, call_end - next,
         unseen                                     ? Missing::unseen_call
         : (data.header.flags & OISP_FLAG_CUT) != 0 ? Missing::cut
                                                    : Missing::lost);
    next = call_end;
  }
  return true;
}

void Stream::note_first(const TlsDataView& view) {
  const oisp_tls_data& data = *view.fixed;
  if (!facts.bytes_seen && facts.is_tls) facts.file = FileTrust::file_of(data.site);
  facts.overrun |= data.asked != 0 && data.call_length > data.asked;
  if (facts.plaintext[data.direction] == 0) facts.unreadable |= (data.header.flags & OISP_FLAG_FAULT) != 0;
  first_[data.direction].add({reinterpret_cast<const char*>(view.payload.data()), view.payload.size()});
}

StreamEvidence Stream::evidence(bool late, bool over) const {
  return {.overrun = facts.overrun,
          .unreadable = facts.unreadable,
          .handshake_done = facts.handshake_first,
          .joined_late = late,
          .read = first_[OISP_DIRECTION_READ].look(over),
          .written = first_[OISP_DIRECTION_WRITE].look(over)};
}

void Stream::end(EndCause cause) {
  if (std::exchange(ended_, true)) return;
  http_.on_end(cause);
}

std::size_t Stream::held_bytes() const {
  std::size_t sum = http_.held_bytes();
  for (const OpenAiExchange& open : ai_) sum += open.ai->held_bytes();
  return sum;
}

StreamVerdict Stream::verdict() const {
  if (facts.ignored) return StreamVerdict::distrusted;
  switch (http_.protocol()) {
    case Protocol::http1:
    case Protocol::http2:
    case Protocol::upgraded:
      return StreamVerdict::read;
    case Protocol::not_http:
      return facts.joined_late ? StreamVerdict::joined_late : StreamVerdict::not_http;
    case Protocol::undecided:
      // Without a byte there was nothing to read.
      return facts.joined_late && facts.bytes_seen ? StreamVerdict::joined_late : StreamVerdict::read;
  }
  return StreamVerdict::none;
}

OpenAiExchange& Stream::open_ai(std::uint32_t number, std::unique_ptr<AiExchange> ai) {
  ai_.push_back({.number = number, .ai = std::move(ai), .request_id = {}, .request_event = {}, .slot = {}});
  return ai_.back();
}

OpenAiExchange* Stream::find_ai(std::uint32_t number) {
  const auto found = std::ranges::find(ai_, number, &OpenAiExchange::number);
  return found == ai_.end() ? nullptr : &*found;
}

void Stream::close_ai(std::uint32_t number) {
  ai_.remove_if([number](const OpenAiExchange& open) { return open.number == number; });
}

void Stream::on_response_head(const Exchange& exchange) {
  if (auto* open = find_ai(exchange.number)) open->ai->on_response_head(exchange);
}

void Stream::on_response_body(const Exchange& exchange, std::string_view piece) {
  if (auto* open = find_ai(exchange.number)) open->ai->on_response_body(exchange, piece);
}

void Stream::on_response_gap(const Exchange& exchange) {
  if (auto* open = find_ai(exchange.number)) open->ai->on_response_gap(exchange);
}

void Stream::on_finished(const Exchange& exchange) {
  if (auto* open = find_ai(exchange.number)) open->ai->on_finished(exchange);
  observer_.on_exchange_finished(*this, exchange);
  close_ai(exchange.number);
}

}  // namespace oisp
