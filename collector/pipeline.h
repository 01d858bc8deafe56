// From records to events: keeps the tables of processes, connections and streams, and says what each
// record means. Knows no descriptor and no clock but the records' own.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "collector/correlate/connection-table.h"
#include "collector/correlate/coverage.h"
#include "collector/correlate/file-trust.h"
#include "collector/correlate/probed-files.h"
#include "collector/correlate/process-table.h"
#include "collector/events/ai-events.h"
#include "collector/events/event-factory.h"
#include "collector/events/loss-ledger.h"
#include "collector/events/open-requests.h"
#include "collector/intake/probe-message.h"
#include "collector/intake/record.h"
#include "collector/intake/sequence-ledger.h"
#include "collector/settings.h"
#include "collector/streams/stream-table.h"

namespace oisp {

inline constexpr std::array<std::string_view, OISP_FAMILY_COUNT> kFamilyWords = {"tls", "process", "network", "file"};

// Those whose records come this way; the file-opener has a ring of its own.
inline constexpr std::array<std::uint32_t, 3> kRingFamilies = {OISP_FAMILY_TLS, OISP_FAMILY_PROCESS,
                                                               OISP_FAMILY_NETWORK};

// How a run ended.
struct RunEnd {
  bool interrupted = false;
  std::optional<int> wait_status;  // of CMD
};

class Pipeline : private Stream::Observer {
 public:
  Pipeline(const Settings& settings, EventFactory& factory, OpenRequests& open_requests);

  // The helper's messages.
  void on_hello(const HelperHello& hello, std::uint64_t now_boot_ns);
  void on_span(const RecordSpan& span);
  void on_file(const FileReport& report);
  void on_counters(const oisp_counters& sums) { counters_ = sums; }

  // Files whose probes nobody needs any more; each is named once.
  std::vector<oisp_file_key> take_unused_files(std::uint64_t now_boot_ns);
  // What has turned out to be no plaintext; each is named once.
  std::vector<oisp_file_key> take_distrusted_files() { return std::exchange(distrusted_, {}); }
  std::vector<StreamKey> take_ignored_streams() { return std::exchange(ignored_, {}); }
  // More is missing than the latest counters explain.
  [[nodiscard]] bool wants_counters() const;
  [[nodiscard]] LossLedger& losses() { return losses_; }
  // Now and then: says what was lost and what has become a blind spot since the last time.
  void on_interval(std::uint64_t now_boot_ns);
  // Ends what is open and makes the run's last events. `drained`: all records have been seen.
  void finish(const RunEnd& end, bool drained, std::uint64_t now_boot_ns);

 private:
  void on_record(std::span<const std::byte> bytes);
  void take(const TlsDataView& view);
  void take(const TlsSessionView& view);
  void take(const TlsSocketView& view);
  void take(const ForkView& view);
  void take(const ExecView& view);
  void take(const ExitView& view);
  void take(const MappedView& view);
  void take(const ConnectionView& view);
  void take(const ClientHelloView& view);

  void on_request(Stream& stream, const Exchange& exchange) override;
  void on_exchange_finished(Stream& stream, const Exchange& exchange) override;
  void on_bytes_lost(std::uint64_t bytes) override { losses_.add_lost_bytes(bytes); }
  void on_bytes_cut(std::uint64_t bytes) override { losses_.add_cut(bytes); }
  void on_stream_ended(Stream& stream, bool evicted);
  void ignore_other_traffic(Stream& stream);

  void watch_stream(Stream& stream, bool over);
  void add_behaviour(std::uint32_t file, ProcessKey process, const Behaviour& behaviour);
  void give_up(const oisp_file_key& file, ProcessKey process);
  void ignore(const StreamKey& key);
  void note_plaintext(Connection& connection, const Stream& stream);
  void compare_sizes(const Connection& connection);
  void on_handshake(Stream& stream, const oisp_tls_session& record);
  void tell_handshake(Stream& stream, bool success, std::uint64_t end_ns);
  void link(Stream& stream, Connection& connection, LinkConfidence confidence);
  void find_connection(Stream& stream, std::string_view host);
  [[nodiscard]] Connection* connection_of(const StreamFacts& stream);
  [[nodiscard]] ExchangeContext context_of(const Stream& stream);
  void find_stream(const Connection& connection);
  void answer_left_open(std::uint64_t now_boot_ns);
  void judge(Connection& connection);
  void judge_unless_used(Connection& connection);
  void note_owner_ended(ProcessKey process);
  void judge_left(std::uint64_t now_boot_ns);
  void account_bounds();
  void account_for_good(bool drained);
  void emit_coverage(bool final, std::uint64_t now_boot_ns);
  void emit_loss(bool final, std::uint64_t now_boot_ns);

  const Settings& settings_;
  EventFactory& factory_;
  OpenRequests& open_requests_;
  ProcessTable processes_;
  ConnectionTable connections_;
  FileTrust trust_;
  Coverage coverage_{trust_};
  ProbedFiles probed_files_;
  LossLedger losses_;
  SequenceLedger sequences_;
  StreamTable streams_;
  std::vector<oisp_file_key> distrusted_;
  std::vector<StreamKey> ignored_;
  std::optional<oisp_counters> counters_;
  std::optional<std::uint64_t> next_position_;  // of the ring
  bool hellos_are_seen_ = true;                 // the kernel shows first bytes of sockets
  bool plain_is_seen_ = true;                   // and HTTP without TLS on them
  bool started_ = false;
  std::uint64_t started_ns_ = 0;
  std::uint64_t latest_ns_ = 0;  // of all records
  std::uint64_t unused_due_ns_ = 0;
};

}  // namespace oisp
