#include "collector/pipeline.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>
#include <vector>

#include "base/log.h"
#include "collector/events/ai-events.h"
#include "collector/events/host-events.h"
#include "collector/limits.h"

namespace oisp {
namespace {

HttpLimits http_limits_of(const Settings& settings) {
  HttpLimits http;
  if (settings.max_body != 0) http.max_body = settings.max_body;
  return http;
}

constexpr StreamTable::Bounds kStreamBounds{.most = limits::kMostStreams,
                                            .most_per_process = limits::kMostStreamsPerProcess,
                                            .most_held_bytes = limits::kMostHeldBytes};

std::string_view word_of(RecordError error) {
  switch (error) {
    case RecordError::too_short:
      return "malformed: too short";
    case RecordError::misaligned:
      return "malformed: misaligned";
    case RecordError::bad_length:
      return "malformed: lengths";
    case RecordError::bad_header:
      return "malformed: header";
    case RecordError::unknown_version:
      return "unknown version";
    case RecordError::unknown_kind:
      return "unknown kind";
  }
  return "malformed";
}

// Of two streams on one connection (TLS in TLS) the one that was read counts.
StreamVerdict better(StreamVerdict a, StreamVerdict b) {
  constexpr auto rank = [](StreamVerdict verdict) {
    switch (verdict) {
      case StreamVerdict::none:
        return 0;
      case StreamVerdict::distrusted:
        return 1;
      case StreamVerdict::joined_late:
        return 2;
      case StreamVerdict::not_http:
        return 3;
      case StreamVerdict::read:
        return 4;
    }
    return 0;
  };
  return rank(a) >= rank(b) ? a : b;
}

StreamKey key_of(const oisp_record_header& header, std::uint64_t session) {
  return {.process = process_of(header), .session = session};
}

}  // namespace

Pipeline::Pipeline(const Settings& settings, EventFactory& factory, OpenRequests& open_requests)
    : settings_(settings),
      factory_(factory),
      open_requests_(open_requests),
      sequences_(settings.restarted == 0),
      streams_(*this, http_limits_of(settings), kStreamBounds, settings.restarted,
               [this](Stream& stream, EndCause, bool evicted) { on_stream_ended(stream, evicted); }) {}

void Pipeline::on_hello(const HelperHello& hello, std::uint64_t now_boot_ns) {
  factory_.set_clock_offset(hello.boot_time_offset_ns);
  hellos_are_seen_ = std::ranges::find(hello.missing, "sock_send_length") == hello.missing.end();
  if (started_) {
    // A helper that could not take over its predecessor's maps begins a new ring.
    if (!hello.adopted) {
      for (const std::uint32_t family : kRingFamilies) {
        losses_.add(kFamilyWords[family], "helper", "lost with a helper", sequences_.holes(family));
      }
      sequences_.begin_again();
      next_position_.reset();
      counters_.reset();
      trust_.forget_numbers();
    }
    return;
  }
  started_ = true;
  started_ns_ = latest_ns_ = now_boot_ns;
  const Origin origin{.process = nullptr, .tid = 0, .boot_ns = now_boot_ns, .point = CapturePoint::sensor};
  if (settings_.restarted > 0) {
    losses_.add("event", "collector", "collector_restarted", 1);
    answer_left_open(now_boot_ns);
    emit_loss(false, now_boot_ns);
    return;
  }
  (void)factory_.emit(origin, [&](schema::Event::Builder event) {
    auto start = event.getData().initSensorStart();
    start.setScope(settings_.scope);
    auto command = start.initCommand(static_cast<unsigned>(settings_.command.size()));
    for (unsigned i = 0; i < settings_.command.size(); ++i) command.set(i, settings_.command[i]);
    start.setPid(settings_.pid);
    start.setUprobes(hello.uprobes);
    start.setContent(settings_.content);
    if (hello.missing.empty()) return;
    auto missing = start.initMissingHooks(static_cast<unsigned>(hello.missing.size()));
    for (unsigned i = 0; i < hello.missing.size(); ++i) missing.set(i, hello.missing[i]);
  });
}

// An earlier collector died with requests open: nobody else makes their responses.
void Pipeline::answer_left_open(std::uint64_t now_boot_ns) {
  const std::uint64_t kept = factory_.next_sequence() - 1;  // the latest event that a sink has
  std::uint64_t missing = 0;                                // made, and lost with it
  for (const OpenRequests::Left& left : open_requests_.take_left()) {
    if (left.request == 0 || left.request > kept) {
      ++missing;
    } else if (left.response == 0 || left.response > kept) {
      emit_unanswered(factory_, left.about, now_boot_ns);
    } else if (left.last > kept) {
      ++missing;  // of its tool calls
    }
  }
  losses_.add("event", "collector", "made, and not delivered", missing);
}

// What a helper sends again after its predecessor's death has been had, and is skipped.
void Pipeline::on_span(const RecordSpan& span) {
  std::span<const std::byte> bytes = span.bytes;
  if (next_position_ && span.position < *next_position_) {
    bytes = bytes.subspan(std::min<std::uint64_t>(*next_position_ - span.position, bytes.size()));
  }
  next_position_ = std::max(next_position_.value_or(0), span.position + span.bytes.size());
  const SpanWalk walk = walk_span(bytes, [this](std::span<const std::byte> record) { on_record(record); });
  if (walk.broken) losses_.add("record", "intake", "malformed: ring framing", 1);
}

void Pipeline::on_record(std::span<const std::byte> bytes) {
  // A record that cannot be used has a number all the same: it is no hole.
  if (const auto header = decode_header(bytes)) {
    sequences_.note(header.value()->family, header.value()->cpu, header.value()->sequence);
  }
  const auto record = decode_record(bytes);
  if (!record) return losses_.add("record", "intake", word_of(record.error()), 1);
  std::visit(
      [this](const auto& view) {
        const oisp_record_header& header = view.fixed->header;
        latest_ns_ = std::max<std::uint64_t>(latest_ns_, header.return_ns);
        if ((header.flags & OISP_FLAG_FAULT) != 0)
          losses_.add(kFamilyWords[header.family], "memory", "could not be read", 1);
        take(view);
      },
      record.value());
}

void Pipeline::on_file(const FileReport& report) {
  const bool was_distrusted = trust_.of(report.key) == Trust::distrusted;
  trust_.on_file(report);
  coverage_.on_file(report, latest_ns_);
  probed_files_.on_file(report, latest_ns_);
  // Its streams may have come before word of it.
  if (!was_distrusted && trust_.of(report.key) == Trust::distrusted) give_up(report.key, {});
}

// Where a record of a process is missing, nobody knows what is mapped: then probes stay.
std::vector<oisp_file_key> Pipeline::take_unused_files(std::uint64_t now_boot_ns) {
  const bool is_certain =
      sequences_.from_start() && sequences_.holes(OISP_FAMILY_PROCESS) == 0 && processes_.evicted() == 0;
  if (!is_certain || now_boot_ns < unused_due_ns_) return {};
  unused_due_ns_ = now_boot_ns + limits::kLookUnusedNs;
  return probed_files_.take_unused(processes_, now_boot_ns);
}

// --- processes

void Pipeline::take(const ForkView& view) {
  processes_.on_fork(view);
  if (const Process* parent = processes_.find(process_of(view.fixed->header)))
    emit_fork(factory_, *parent, *view.fixed);
}

void Pipeline::take(const ExecView& view) {
  const oisp_record_header& header = view.fixed->header;
  const bool is_exec = header.kind == OISP_KIND_PROCESS_EXEC;
  if (is_exec) streams_.end_process(process_of(header), EndCause::process_ended);
  const Process& process = processes_.on_exec(view);
  coverage_.on_path(process.exe, process.path);
  if (is_exec) emit_exec(factory_, process, header);
}

void Pipeline::take(const ExitView& view) {
  const ProcessKey key = process_of(view.fixed->header);
  streams_.end_process(key, EndCause::process_ended);
  emit_exit(factory_, processes_.on_exit(view), *view.fixed);
  note_owner_ended(key);
}

void Pipeline::take(const MappedView& view) {
  processes_.on_mapped(view);
  coverage_.on_path(view.fixed->file,
                    std::string_view(view.name.data(), ::strnlen(view.name.data(), view.name.size())));
}

// --- connections

void Pipeline::take(const ConnectionView& view) {
  const oisp_connection& record = *view.fixed;
  // The end of one that was judged when its process ended, or whose beginning was lost.
  if (record.state == OISP_CONNECTION_CLOSED && connections_.find(record.connection) == nullptr) return;
  Connection& connection = connections_.on_connection(view);
  if (record.plain_unseen != 0) plain_is_seen_ = false;
  const Process& process = processes_.of(record.header);
  const bool ended = record.state == OISP_CONNECTION_FAILED || record.state == OISP_CONNECTION_CLOSED;
  connection.outcome_told =
      connection.outcome_told || record.found != 0;  // it is not this process that connected, or not now
  if (!connection.outcome_told && record.state != OISP_CONNECTION_BEGIN) {
    connection.outcome_told = true;
    const ConnectOutcome outcome = record.state == OISP_CONNECTION_ESTABLISHED ? ConnectOutcome::established
                                   : record.state == OISP_CONNECTION_FAILED    ? ConnectOutcome::failed
                                                                               : ConnectOutcome::unknown;
    emit_connect(factory_, process, connection, outcome, record.error, record.header.entry_ns);
  }
  if (!ended) return;
  connection.closed = true;
  judge_unless_used(connection);
}

void Pipeline::take(const ClientHelloView& view) {
  (void)processes_.of(view.fixed->header);
  (void)connections_.on_client_hello(view);
}

Connection* Pipeline::connection_of(const StreamFacts& stream) {
  return stream.cookie == 0 ? nullptr : connections_.find(stream.cookie);
}

// What was guessed before gives way, on both sides, so that a better guess can be made.
void Pipeline::link(Stream& stream, Connection& connection, LinkConfidence confidence) {
  if (Connection* before = connection_of(stream.facts); before != nullptr && before->stream == stream.facts.number) {
    before->link = LinkConfidence::none;
    before->stream = 0;
  }
  Stream* other = connection.stream == stream.facts.number ? nullptr : streams_.find(connection.stream);
  if (other != nullptr && other->facts.link != LinkConfidence::socket) {
    other->facts.cookie = 0;
    other->facts.link = LinkConfidence::none;
  }
  stream.facts.cookie = connection.cookie;
  stream.facts.link = confidence;
  connection.link = confidence;
  connection.stream = stream.facts.number;
  connection.is_plain = !stream.facts.is_tls;
}

// For programs whose TLS library never sees the socket (Node.js, asyncio).
void Pipeline::find_connection(Stream& stream, std::string_view host) {
  StreamFacts& facts = stream.facts;
  if (facts.cookie != 0 || facts.is_server || !facts.is_tls) return;
  const std::string_view name =
      facts.server_name.empty() ? host.substr(0, host.find(':')) : std::string_view(facts.server_name);
  Connection* found = name.empty() ? nullptr : connections_.find_unlinked(facts.key.process, name, hellos_are_seen_);
  if (found != nullptr) return link(stream, *found, LinkConfidence::sni);
  // A session that was made and never used says nothing about a connection.
  if (!facts.bytes_seen && facts.handshake_begin_ns == 0) return;
  found = connections_.find_unlinked(facts.key.process, {}, hellos_are_seen_);
  // A connection that asked for another name carries another stream.
  if (found != nullptr && (found->server_name.empty() || name.empty())) link(stream, *found, LinkConfidence::process);
}

// A stream that has no connection yet, for a connection that has no stream.
void Pipeline::find_stream(const Connection& connection) {
  streams_.each_of(connection.owner, [this, &connection](Stream& stream) {
    if (connection.link == LinkConfidence::none) find_connection(stream, {});
  });
}

// Says for good whether a connection was read, and forgets it.
void Pipeline::judge(Connection& connection) {
  if (connection.is_plain) {
    coverage_.judge_plain(connection, processes_.find(connection.owner));
  } else if (carries_tls(connection, hellos_are_seen_)) {
    if (connection.link == LinkConfidence::none) find_stream(connection);
    StreamVerdict verdict = connection.verdict;
    if (const Stream* stream = streams_.find(connection.stream)) {
      verdict = better(verdict, stream->verdict());
      note_plaintext(connection, *stream);
    }
    coverage_.judge(connection, verdict, processes_.find(connection.owner));
  } else if ((!hellos_are_seen_ || !plain_is_seen_) && connection.established_ns != 0) {
    coverage_.judge_unknown(connection, processes_.find(connection.owner));
  }
  compare_sizes(connection);
  const Process* process = processes_.find(connection.owner);
  if (process != nullptr && connection.closed_ns != 0) emit_flow(factory_, *process, connection);
  connections_.forget(connection.cookie);
}

void Pipeline::note_plaintext(Connection& connection, const Stream& stream) {
  const StreamFacts& facts = stream.facts;
  connection.had_stream = true;
  connection.joined_late |= facts.joined_late;
  for (unsigned direction = OISP_DIRECTION_READ; direction <= OISP_DIRECTION_WRITE; ++direction) {
    connection.plaintext[direction] += facts.plaintext[direction];
    connection.largest[direction] = std::max(connection.largest[direction], facts.plaintext[direction]);
  }
  if (facts.is_tls && facts.link == LinkConfidence::socket && !facts.judged) connection.unproven_file = facts.file;
}

// TLS adds to every record, so as much plaintext as the socket moved is none.
void Pipeline::compare_sizes(const Connection& connection) {
  if (connection.unproven_file == 0 || connection.closed_ns == 0) return;
  const auto& [read, written] = connection.largest;
  const bool too_much = (read != 0 && read >= connection.received) || (written != 0 && written >= connection.sent);
  if (too_much)
    add_behaviour(connection.unproven_file, connection.owner, {.is_clear = true, .broken = kMoreThanTheWire});
}

// A connection that is closed is judged as soon as no stream needs it.
void Pipeline::judge_unless_used(Connection& connection) {
  if (streams_.find(connection.stream) == nullptr) judge(connection);
}

// The kernel closes what a process leaves open right after its end, where no other has it.
void Pipeline::note_owner_ended(ProcessKey process) {
  for (auto& [cookie, connection] : connections_) {
    if (connection.owner == process && connection.owner_ended_ns == 0) connection.owner_ended_ns = latest_ns_;
  }
}

void Pipeline::judge_left(std::uint64_t now_boot_ns) {
  std::vector<std::uint64_t> cookies;
  for (auto& [cookie, connection] : connections_) {
    if (connection.owner_ended_ns == 0 || connection.owner_ended_ns + limits::kAwaitCloseNs > now_boot_ns) continue;
    connection.closed = true;
    cookies.push_back(cookie);
  }
  for (const std::uint64_t cookie : cookies) judge_unless_used(*connections_.find(cookie));
}

// --- streams

void Pipeline::take(const TlsDataView& view) {
  const oisp_record_header& header = view.fixed->header;
  const StreamKey key = key_of(header, view.fixed->session);
  (void)processes_.of(header);
  if (trust_.of(FileTrust::file_of(view.fixed->site)) == Trust::distrusted) return ignore(key);
  Stream* stream = streams_.find(key);
  // All chunks of a session's first call carry the flag.
  const bool begins = (header.flags & OISP_FLAG_STREAM_NEW) != 0 && view.fixed->call_offset == 0;
  if (stream != nullptr && stream->facts.bytes_seen && begins) {
    streams_.end(key, EndCause::session_freed);  // its end was lost
    stream = nullptr;
  }
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (stream == nullptr) stream = &streams_.add(key);
    if (!stream->facts.seen_from_start && !stream->facts.bytes_seen) stream->mark_joined_late();
    if (!stream->facts.bytes_seen && !stream->facts.server_name.empty()) find_connection(*stream, {});
    const std::uint64_t number = stream->facts.number;
    const bool fits = streams_.feed(*stream, view);
    if (fits) coverage_.add_plaintext(view.payload.size());
    stream = streams_.find(number);
    if (stream == nullptr) return;
    if (fits) return watch_stream(*stream, false);
    streams_.end(key, EndCause::session_freed);
    stream = nullptr;
  }
  losses_.add("record", "streams", "out of order", 1);
}

// Streams say what they say of their file as soon as it is clear, or at their end.
void Pipeline::watch_stream(Stream& stream, bool over) {
  StreamFacts& facts = stream.facts;
  if (!facts.is_tls) return ignore_other_traffic(stream);
  if (facts.judged || trust_.of(facts.file) != Trust::unproven) return;
  const Process* process = processes_.find(facts.key.process);
  const bool late = facts.joined_late && (process == nullptr || process->ran_before);
  const Behaviour behaviour = behaviour_of(stream.evidence(late, over));
  if (!behaviour.is_clear) return;
  facts.judged = true;
  add_behaviour(facts.file, facts.key.process, behaviour);
  if (trust_.of(facts.file) == Trust::distrusted) ignore(facts.key);
}

void Pipeline::add_behaviour(std::uint32_t file, ProcessKey process, const Behaviour& behaviour) {
  if (trust_.add(file, behaviour)) give_up(trust_.key_of(file), process);
}

void Pipeline::give_up(const oisp_file_key& file, ProcessKey process) {
  coverage_.give_up(file, processes_.find(process));
  if (coverage_.may_go(file)) distrusted_.push_back(file);
}

// Nothing more of it is read, here or in the kernel.
void Pipeline::ignore(const StreamKey& key) {
  Stream* stream = streams_.find(key);
  if (stream == nullptr) stream = &streams_.add(key);
  if (!std::exchange(stream->facts.ignored, true)) ignored_.push_back(key);
}

// A socket begins like a model server's, and shows only later what it is.
void Pipeline::ignore_other_traffic(Stream& stream) {
  StreamFacts& facts = stream.facts;
  if (facts.ignored || facts.has_ai) return;
  const Protocol protocol = stream.protocol();
  const bool is_other = protocol == Protocol::not_http || protocol == Protocol::upgraded;
  if (!is_other && stream.exchanges() <= limits::kMostOtherExchanges) return;
  ignore(facts.key);
}

void Pipeline::take(const TlsSessionView& view) {
  const oisp_tls_session& record = *view.fixed;
  const StreamKey key = key_of(record.header, record.session);
  if (record.event == OISP_SESSION_FREE) return streams_.end(key, EndCause::session_freed);
  if (record.event == OISP_SESSION_SHUTDOWN) return streams_.end(key, EndCause::closed);
  if (trust_.of(FileTrust::file_of(record.site)) == Trust::distrusted) return;
  (void)processes_.of(record.header);
  if (record.event == OISP_SESSION_NEW) streams_.end(key, EndCause::session_freed);  // its end was lost
  Stream* stream = streams_.find(key);
  if (stream == nullptr) stream = &streams_.add(key);
  stream->facts.tid = record.header.tid;
  if (record.event == OISP_SESSION_NEW || record.event == OISP_SESSION_HANDSHAKE) stream->facts.seen_from_start = true;
  switch (record.event) {
    case OISP_SESSION_HANDSHAKE:
      return on_handshake(*stream, record);
    case OISP_SESSION_NAME:
      stream->facts.server_name = view.name;
      return;
    default:
      return;  // NEW has made the stream, FD comes again as a socket
  }
}

void Pipeline::take(const TlsSocketView& view) {
  const oisp_tls_socket& record = *view.fixed;
  const StreamKey key = key_of(record.header, record.session);
  Stream* stream = streams_.find(key);
  if (stream == nullptr) stream = &streams_.add(key);
  if (Connection* connection = connections_.find(record.connection)) {
    link(*stream, *connection, LinkConfidence::socket);
  }
}

// A call that wants to wait for the peer has no result yet, and is not told apart from one that failed
// until the session ends or a later call succeeds.
void Pipeline::on_handshake(Stream& stream, const oisp_tls_session& record) {
  StreamFacts& facts = stream.facts;
  if (facts.handshake_begin_ns == 0) facts.handshake_begin_ns = record.header.entry_ns;
  facts.is_server = facts.is_server || record.is_server != 0;
  if (facts.handshake_told) return;
  facts.handshake_first = record.result == 1 && !facts.bytes_seen;
  if (record.result == 1) return tell_handshake(stream, true, record.header.return_ns);
  const bool no_result = record.header.entry_ns == record.header.return_ns;
  if (record.result == 0 && !no_result) return tell_handshake(stream, false, record.header.return_ns);
  facts.handshake_open = !no_result;
}

void Pipeline::tell_handshake(Stream& stream, bool success, std::uint64_t end_ns) {
  StreamFacts& facts = stream.facts;
  facts.handshake_told = true;
  facts.handshake_open = false;
  if (facts.cookie == 0 && !facts.server_name.empty()) find_connection(stream, {});
  const Process* process = processes_.find(facts.key.process);
  if (process == nullptr) return;
  emit_handshake(factory_, *process, facts, connection_of(facts),
                 {.success = success, .end_ns = end_ns, .tls_library = coverage_.tls_library_of(*process)});
}

void Pipeline::on_request(Stream& stream, const Exchange& exchange) {
  if (stream.facts.cookie == 0) find_connection(stream, exchange.request.host());
  auto ai = recognise_ai(exchange, stream.facts.scheme());
  if (!ai) return;
  stream.facts.has_ai = true;
  OpenAiExchange& open = stream.open_ai(exchange.number, std::move(ai));
  const std::uint64_t sequence = factory_.next_sequence();
  emit_request(factory_, context_of(stream), exchange, open);
  open_requests_.acknowledged(factory_.delivered());
  open.slot = open_requests_.add(describe_open(context_of(stream), exchange, open), sequence);
  open.ai->forget_request();
}

void Pipeline::on_exchange_finished(Stream& stream, const Exchange& exchange) {
  const OpenAiExchange* open = stream.find_ai(exchange.number);
  coverage_.add_exchange(open != nullptr);
  if (open == nullptr) return;
  const std::uint64_t sequence = factory_.next_sequence();
  emit_response(factory_, context_of(stream), exchange, *open);
  if (open->slot) open_requests_.answered(*open->slot, sequence, factory_.next_sequence() - 1);
}

ExchangeContext Pipeline::context_of(const Stream& stream) {
  return {.process = processes_.find(stream.facts.key.process),
          .connection = connection_of(stream.facts),
          .stream = stream.facts,
          .bodies = settings_.bodies,
          .now_ns = latest_ns_};
}

void Pipeline::on_stream_ended(Stream& stream, bool evicted) {
  if (evicted) losses_.add("tls", "streams", "too many streams or bytes at once", 1);
  if (stream.facts.handshake_open) tell_handshake(stream, false, latest_ns_);
  watch_stream(stream, true);
  Connection* connection = connection_of(stream.facts);
  if (connection == nullptr && !stream.facts.is_server) {
    find_connection(stream, {});
    connection = connection_of(stream.facts);
  }
  if (connection == nullptr || connection->stream != stream.facts.number) return;
  connection->verdict = better(connection->verdict, stream.verdict());
  note_plaintext(*connection, stream);
  connection->unseen_bytes += stream.facts.unseen_bytes;
  if (!stream.facts.is_tls && !stream.facts.ignored && stream.exchanges() > 0) connection->plain_read = true;
  connection->stream = 0;
  if (connection->closed) judge(*connection);
}

}  // namespace oisp
