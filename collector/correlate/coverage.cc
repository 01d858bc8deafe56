#include "collector/correlate/coverage.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "collector/events/event-factory.h"
#include "collector/limits.h"

namespace oisp {
namespace {

// TLS libraries that cannot be read yet, by the beginning of their file's name.
constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kOtherLibraries = {{
    {"libgnutls.so", "GnuTLS"},
    {"libnss3.so", "NSS"},
    {"libmbedtls.so", "Mbed TLS"},
    {"libwolfssl.so", "wolfSSL"},
    {"libs2n.so", "s2n-tls"},
    {"libbotan-", "Botan"},
    {"libtls.so", "LibreSSL's libtls"},
}};

// How the scanner ends what it says of a library that it knows and cannot probe.
constexpr std::string_view kNotSupported = ": not supported yet";

std::pair<std::uint64_t, std::uint64_t> pair_of(oisp_file_key key) { return {key.device, key.inode}; }

std::string program_of(const Process* process) {
  if (process == nullptr) return "an unknown program";
  if (!process->path.empty()) return process->path;
  return process->name.empty() ? "process " + std::to_string(process->key.tgid) : process->name;
}

bool is_failure(FileOutcome outcome) {
  return outcome != FileOutcome::probed && outcome != FileOutcome::no_tls_library;
}

// What the helper says of its own in a number.
const char* failure_of_helper(const FileReport& report) {
  if (report.outcome == FileOutcome::scan_failed) {
    if (report.error == ETIMEDOUT) return ": the scanner took too long";
    return report.error == EBADMSG ? ": the scanner's answer makes no sense" : ": the scanner died";
  }
  const bool differs = report.outcome == FileOutcome::attach_failed && report.error == EILSEQ;
  return differs ? ": the file's bytes are not those that were scanned" : nullptr;
}

std::string failure_text(const FileReport& report) {
  std::string text;
  switch (report.outcome) {
    case FileOutcome::probed:
    case FileOutcome::no_tls_library:
      break;
    case FileOutcome::refused:
      if (!report.reason.empty()) return report.reason;  // the scanner's own sentence: which library, and why not
      text = "the scanner is not certain of it";
      break;
    case FileOutcome::open_failed:
      text = "it could not be opened";
      break;
    case FileOutcome::scan_failed:
      text = "it could not be scanned";
      break;
    case FileOutcome::attach_failed:
      text = "the probes could not be attached";
      break;
    case FileOutcome::table_full:
      text = "there are too many probes";
      break;
  }
  if (!report.reason.empty()) text += ": " + report.reason;
  if (const char* of_helper = failure_of_helper(report)) return text + of_helper;
  if (report.error != 0) text += std::string(" (") + std::strerror(report.error) + ")";
  return text;
}

}  // namespace

void Coverage::on_file(const FileReport& report, std::uint64_t now_ns) {
  const FileKey key = pair_of(report.key);
  if (files_.size() >= limits::kMostFiles && !files_.contains(key)) {
    // Those without a TLS library are the many, and the least of a loss.
    const auto plain = std::ranges::find_if(
        files_, [](const auto& entry) { return entry.second.report.outcome == FileOutcome::no_tls_library; });
    files_.erase(plain != files_.end() ? plain : files_.begin());
  }
  File& file = files_[key];
  file.report = report;
  file.known_ns = now_ns;
  if (const auto path = paths_.find(key); path != paths_.end()) file.path = path->second;
  if (file.path.empty()) file.path = report.name;
}

void Coverage::on_path(oisp_file_key key, std::string_view path) {
  if (path.empty()) return;
  const FileKey file_key = pair_of(key);
  const bool whole = path.front() == '/';
  std::string* known = nullptr;
  if (const auto found = paths_.find(file_key); found != paths_.end()) {
    known = &found->second;
  } else if (paths_.size() < limits::kMostFiles) {
    known = &paths_[file_key];
  }
  const auto improves = [whole](const std::string& name) { return name.empty() || whole || name.front() != '/'; };
  if (known != nullptr && improves(*known)) *known = path;
  if (const auto file = files_.find(file_key); file != files_.end() && improves(file->second.path)) {
    file->second.path = path;
  }
}

std::vector<const Coverage::File*> Coverage::files_of(const Process& process) const {
  std::vector<const File*> files;
  const auto add = [&](oisp_file_key key) {
    if (const auto found = files_.find(pair_of(key)); found != files_.end()) files.push_back(&found->second);
  };
  add(process.exe);
  for (const MappedFile& mapped : process.mapped) add(mapped.key);
  return files;
}

std::string Coverage::tls_library_of(const Process& process) const {
  const File* only = nullptr;
  for (const File* file : files_of(process)) {
    if (file->report.outcome != FileOutcome::probed || file == only) continue;
    if (only != nullptr) return {};
    only = file;
  }
  if (only == nullptr) return {};
  return only->path.empty() ? only->report.family : only->report.family + " in " + only->path;
}

void Coverage::judge(const Connection& connection, StreamVerdict verdict, const Process* process) {
  ++tls_connections_;
  if (connection.closed_ns != 0 && !connection.joined_late && verdict != StreamVerdict::joined_late) {
    ++measured_connections_;
    measured_plaintext_bytes_ += connection.plaintext[OISP_DIRECTION_READ] + connection.plaintext[OISP_DIRECTION_WRITE];
    measured_wire_bytes_ += connection.sent + connection.received;
  }
  auto reason = reason_for(connection, verdict, process);
  if (!reason) {
    ++tls_connections_read_;
  } else {
    add_blind_spot(connection, process, std::move(*reason));
  }
}

void Coverage::judge_plain(const Connection& connection, const Process* process) {
  if (connection.plain_read) ++plain_connections_;
  if (connection.unseen_bytes == 0) return;
  add_blind_spot(connection, process,
                 {.word = "unseen_call",
                  .detail = "a part of what " + program_of(process) +
                            " said without TLS passed in calls that are not looked into (sendfile, splice, sendmmsg, "
                            "io_uring)"});
}

void Coverage::judge_unknown(const Connection& connection, const Process* process) {
  add_blind_spot(connection, process,
                 {.word = "plain_http",
                  .detail = "this kernel cannot show what programs send without TLS (Linux 6.3 and later can): if " +
                            program_of(process) + " spoke to a local model server here, it was not seen"});
}

void Coverage::set_unseen_calls(std::uint64_t calls) {
  if (calls == 0) return;
  Connection nobody;
  add_blind_spot(nobody, nullptr,
                 {.word = "unseen_call",
                  .detail = "connections began with calls that are not looked into (sendmmsg, io_uring; " +
                            std::to_string(calls) + " calls): HTTP without TLS on them was not seen"});
}

std::optional<Coverage::Reason> Coverage::reason_for(const Connection& connection, StreamVerdict verdict,
                                                     const Process* process) const {
  switch (verdict) {
    case StreamVerdict::read:
      return {};
    case StreamVerdict::not_http:
      return Reason{.word = "not_http",
                    .detail = "the plaintext of " + program_of(process) + " was read, but it is not HTTP"};
    case StreamVerdict::joined_late:
      return Reason{.word = "joined_late",
                    .detail = "the connection was open before " + program_of(process) +
                              " was watched: start the program with `oisp-sensor record -- …` to have all of it read"};
    case StreamVerdict::distrusted:
    case StreamVerdict::none:
      return reason_unread(connection, process);
  }
  return {};
}

bool Coverage::is_distrusted(const File& file) const {
  return file.report.outcome == FileOutcome::probed && trust_.of(file.report.key) == Trust::distrusted;
}

Coverage::Reason Coverage::reason_distrusted(const File& file) const {
  const std::string name = file.path.empty() ? "a file" : file.path;
  return {.word = "distrusted",
          .detail = name + " was taken for " + file.report.family + ", but its first streams showed " +
                    std::string(trust_.reason(file.report.key)) + ": " +
                    (may_go(file.report.key) ? "its probes are taken off" : "its streams are ignored") +
                    "; please report it, with what `oisp-sensor ssl-info` says of it"};
}

bool Coverage::may_go(const oisp_file_key& key) const {
  const auto found = files_.find(pair_of(key));
  return found != files_.end() && found->second.report.name.empty();
}

void Coverage::give_up(const oisp_file_key& key, const Process* process) {
  const auto found = files_.find(pair_of(key));
  if (found == files_.end()) return;
  Connection none;
  if (process != nullptr) none.owner = process->key;
  add_blind_spot(none, process, reason_distrusted(found->second));
}

Coverage::Reason Coverage::reason_unread(const Connection& connection, const Process* process) const {
  const std::string program = program_of(process);
  const auto files = process == nullptr ? std::vector<const File*>{} : files_of(*process);
  for (const File* file : files) {
    if (is_distrusted(*file)) return reason_distrusted(*file);
  }
  for (const File* file : files) {
    if (file->report.outcome != FileOutcome::probed) continue;
    if (file->known_ns > connection.begin_ns) {
      return {.word = "joined_late",
              .detail = "the TLS library of " + program +
                        " was probed only after this connection had begun: start the program again, and it is read"};
    }
  }
  const File* failure = nullptr;
  for (const File* file : files) {
    if (!is_failure(file->report.outcome)) continue;
    const bool has_library =
        file->report.outcome == FileOutcome::refused || file->report.outcome == FileOutcome::attach_failed;
    if (failure == nullptr || has_library) failure = file;
  }
  const bool probed =
      std::ranges::any_of(files, [](const File* file) { return file->report.outcome == FileOutcome::probed; });
  if (failure != nullptr && !probed && failure->report.reason.ends_with(kNotSupported)) {
    const std::string& reason = failure->report.reason;
    const std::string where = failure->path.empty() || failure->path == program ? "" : " (" + failure->path + ")";
    return {.word = "no_tls_library",
            .detail = program + " uses " + reason.substr(0, reason.size() - kNotSupported.size()) + where +
                      ", which cannot be read yet: a build of it with the distribution's OpenSSL can"};
  }
  if (failure != nullptr && !probed) {
    const std::string name = failure->path.empty() ? program : failure->path;
    return {.word = "probe_refused",
            .detail = name + " could not be probed: " + failure_text(failure->report) + "; a build of " + program +
                      " with the distribution's OpenSSL can be read"};
  }
  if (process != nullptr) {
    for (const MappedFile& mapped : process->mapped) {
      for (const auto& [prefix, library] : kOtherLibraries) {
        if (!mapped.name.starts_with(prefix)) continue;
        return {.word = "no_tls_library",
                .detail = program + " uses " + std::string(library) + " (" + mapped.name +
                          "), which cannot be read yet: a build of it with OpenSSL can"};
      }
    }
  }
  if (probed) {
    return {.word = "not_attributed",
            .detail = "the TLS library of " + program +
                      " is probed, but nothing that was read could be matched with this connection"};
  }
  return {.word = "no_tls_library",
          .detail = "no known TLS library in " + program +
                    ": it may carry its own (Go, an old rustls), which cannot be read yet; a build with OpenSSL can"};
}

void Coverage::add_blind_spot(const Connection& connection, const Process* process, Reason reason) {
  has_news_ = true;
  const ProcessKey key = connection.owner;
  for (BlindSpot& spot : blind_spots_) {
    if (spot.process.key == key && spot.remote.ip == connection.remote.ip &&
        spot.remote.port == connection.remote.port && spot.reason.word == reason.word) {
      ++spot.count;
      return;
    }
  }
  if (blind_spots_.size() >= limits::kMostBlindSpots) {
    // The last row stands for all that have none of their own.
    BlindSpot& rest = blind_spots_.back();
    if (rest.reason.word != "too_many") {
      rest = BlindSpot{.process = {},
                       .remote = {},
                       .domain = {},
                       .reason = {.word = "too_many", .detail = "further blind spots, not told apart"},
                       .count = rest.count};
    }
    ++rest.count;
    return;
  }
  BlindSpot spot{.process = {},
                 .remote = connection.remote,
                 .domain = connection.server_name,
                 .reason = std::move(reason),
                 .count = 1};
  if (process != nullptr) spot.process = *process;
  spot.process.key = key;
  spot.process.mapped.clear();
  blind_spots_.push_back(std::move(spot));
}

void Coverage::add_exchange(bool is_ai) {
  ++http_exchanges_;
  if (is_ai) ++ai_exchanges_;
}

void Coverage::report(schema::SensorCoverage::Builder builder, const Seen& seen, bool final) {
  has_news_ = false;
  builder.setProcesses(seen.processes);
  builder.setConnections(seen.connections);
  builder.setTlsConnections(tls_connections_);
  builder.setTlsConnectionsRead(tls_connections_read_);
  builder.setStreams(seen.streams);
  builder.setPlaintextBytes(plaintext_bytes_);
  builder.setMeasuredConnections(measured_connections_);
  builder.setMeasuredPlaintextBytes(measured_plaintext_bytes_);
  builder.setMeasuredWireBytes(measured_wire_bytes_);
  builder.setPlainConnections(plain_connections_);
  builder.setHttpExchanges(http_exchanges_);
  builder.setAiExchanges(ai_exchanges_);
  builder.setFinal(final ? schema::Tri::YES : schema::Tri::NO);

  std::vector<const File*> named;
  for (const auto& [key, file] : files_) {
    // Who maps a file and ends before it is opened has not used it for long; the next one brings it again.
    const bool too_late = file.report.outcome == FileOutcome::open_failed && file.report.error == ESRCH;
    if (file.report.outcome != FileOutcome::no_tls_library && !too_late) named.push_back(&file);
  }
  auto files = builder.initFiles(static_cast<unsigned>(named.size()));
  for (unsigned i = 0; i < named.size(); ++i) {
    const FileReport& report = named[i]->report;
    files[i].setPath(named[i]->path);
    files[i].setOutcome(report.outcome == FileOutcome::probed    ? "probed"
                        : report.outcome == FileOutcome::refused ? "refused"
                                                                 : "failed");
    if (!report.family.empty()) files[i].setFamily(report.family);
    if (report.outcome != FileOutcome::probed) {
      files[i].setReason(failure_text(report));
    } else {
      files[i].setTrust(std::string(trust_word(trust_.of(report.key))));
      if (is_distrusted(*named[i])) files[i].setReason(std::string(trust_.reason(report.key)));
    }
    files[i].setSites(report.sites);
  }
  auto spots = builder.initBlindSpots(static_cast<unsigned>(blind_spots_.size()));
  for (unsigned i = 0; i < blind_spots_.size(); ++i) {
    const BlindSpot& spot = blind_spots_[i];
    if (spot.process.key.tgid != 0) fill_process(spots[i].initProcess(), spot.process, 0);
    if (spot.remote.port != 0) {
      auto remote = spots[i].initRemote();
      if (!spot.remote.ip.empty()) remote.setIp(spot.remote.ip);
      remote.setPort(spot.remote.port);
      if (!spot.domain.empty()) remote.setDomain(spot.domain);
    }
    spots[i].setReason(spot.reason.word);
    spots[i].setDetail(spot.reason.detail);
    spots[i].setCount(spot.count);
  }
}

}  // namespace oisp
