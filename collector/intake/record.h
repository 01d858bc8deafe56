// One record of the ring (bpf/records.h) as a checked view: fixed part and the variable part that lies
// wholly inside it. Nothing is copied; a view lives as long as the received frame.
//
// The kernel wrote the record, but names, argv, payload and lengths in it come from a stranger, and
// the helper that passed it on may have been taken over: every length is checked here, and only here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <variant>

#include "base/result.h"
#include "bpf/records.h"

namespace oisp {

using Bytes = std::span<const std::uint8_t>;

struct TlsDataView {
  const oisp_tls_data* fixed;
  Bytes payload;
};
struct TlsSessionView {
  const oisp_tls_session* fixed;
  std::string_view name;
};
struct TlsSocketView {
  const oisp_tls_socket* fixed;
};
struct ForkView {
  const oisp_process_fork* fixed;
};
// Also a process that was found at the start (header.kind tells).
struct ExecView {
  const oisp_process_exec* fixed;
  std::string_view path;
  std::string_view cwd;
  std::string_view argv;  // with its NULs
};
struct ExitView {
  const oisp_process_exit* fixed;
};
struct MappedView {
  const oisp_process_mapped* fixed;
  std::string_view name;
};
struct ConnectionView {
  const oisp_connection* fixed;
};
struct ClientHelloView {
  const oisp_client_hello* fixed;
  Bytes payload;
};

using Record = std::variant<TlsDataView, TlsSessionView, TlsSocketView, ForkView, ExecView, ExitView, MappedView,
                            ConnectionView, ClientHelloView>;

enum class RecordError { too_short, misaligned, bad_length, bad_header, unknown_version, unknown_kind };

// The header alone, with its family and CPU within bounds.
Result<const oisp_record_header*, RecordError> decode_header(std::span<const std::byte> bytes);

// `bytes` is what the ring reserved for one record.
Result<Record, RecordError> decode_record(std::span<const std::byte> bytes);

// What walking a span came to.
struct SpanWalk {
  std::uint64_t records = 0;
  std::uint64_t discarded = 0;  // reserved, and given up by the kernel side
  bool broken = false;          // the framing leads out of the span; what lies behind is unread
};

// Header of a ring entry, as the kernel writes it (BPF_RINGBUF_HDR_SZ).
struct RingEntry {
  std::uint32_t length_and_bits;
  std::uint32_t page_offset;
};
inline constexpr std::uint32_t kRingBusy = 1U << 31;
inline constexpr std::uint32_t kRingDiscard = 1U << 30;

// Calls `take` with the bytes of each record of a span, in order.
template <typename Take>
SpanWalk walk_span(std::span<const std::byte> span, Take&& take) {
  SpanWalk walk;
  while (!span.empty()) {
    if (span.size() < sizeof(RingEntry)) return walk.broken = true, walk;
    RingEntry entry;
    __builtin_memcpy(&entry, span.data(), sizeof entry);
    const std::size_t length = entry.length_and_bits & ~(kRingBusy | kRingDiscard);
    const std::size_t whole = (sizeof entry + length + 7) / 8 * 8;
    if ((entry.length_and_bits & kRingBusy) != 0 || whole > span.size()) return walk.broken = true, walk;
    if ((entry.length_and_bits & kRingDiscard) != 0) {
      ++walk.discarded;
    } else {
      ++walk.records;
      take(span.subspan(sizeof entry, length));
    }
    span = span.subspan(whole);
  }
  return walk;
}

}  // namespace oisp
