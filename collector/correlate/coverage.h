// What was read and what was not: for each TLS connection of a watched process either its plaintext was
// seen, or there is a blind spot with its reason and what to do; and the same of HTTP without TLS.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "collector/correlate/connection-table.h"
#include "collector/correlate/file-trust.h"
#include "collector/correlate/process-table.h"
#include "collector/intake/probe-message.h"
#include "event.capnp.h"

namespace oisp {

class Coverage {
 public:
  explicit Coverage(const FileTrust& trust) : trust_(trust) {}
  // What became of a file in which TLS functions were looked for; `now_ns` is the latest record's time.
  void on_file(const FileReport& report, std::uint64_t now_ns);
  // A better name for a file.
  void on_path(oisp_file_key file, std::string_view path);
  // Says for good whether a TLS connection was read. `process` may be unknown.
  void judge(const Connection& connection, StreamVerdict verdict, const Process* process);
  // A file is read no more; `process` is the one whose stream was one too many, and may be unknown.
  void give_up(const oisp_file_key& file, const Process* process);
  // Its probes may be taken off: it was not there at the start.
  [[nodiscard]] bool may_go(const oisp_file_key& file) const;
  // The same of one without TLS.
  void judge_plain(const Connection& connection, const Process* process);
  // Of one whose first bytes this kernel cannot show.
  void judge_unknown(const Connection& connection, const Process* process);
  // Sockets whose first bytes passed in calls that are not looked into.
  void set_unseen_calls(std::uint64_t calls);
  void add_exchange(bool is_ai);
  void add_plaintext(std::uint64_t bytes) { plaintext_bytes_ += bytes; }

  // The file, and its family, that a process reads its TLS with; empty where it is not one alone.
  [[nodiscard]] std::string tls_library_of(const Process& process) const;

  // A blind spot has shown since the last report.
  [[nodiscard]] bool has_news() const { return has_news_; }
  struct Seen {
    std::uint64_t processes = 0;
    std::uint64_t connections = 0;
    std::uint64_t streams = 0;
  };
  void report(schema::SensorCoverage::Builder builder, const Seen& seen, bool final);

 private:
  struct File {
    FileReport report;
    std::string path;
    std::uint64_t known_ns = 0;
  };
  struct Reason {
    std::string word;
    std::string detail;
  };
  struct BlindSpot {
    Process process;
    Address remote;
    std::string domain;
    Reason reason;
    std::uint64_t count = 0;
  };
  using FileKey = std::pair<std::uint64_t, std::uint64_t>;

  [[nodiscard]] std::optional<Reason> reason_for(const Connection& connection, StreamVerdict verdict,
                                                 const Process* process) const;
  [[nodiscard]] Reason reason_unread(const Connection& connection, const Process* process) const;
  [[nodiscard]] std::vector<const File*> files_of(const Process& process) const;
  [[nodiscard]] bool is_distrusted(const File& file) const;
  [[nodiscard]] Reason reason_distrusted(const File& file) const;
  void add_blind_spot(const Connection& connection, const Process* process, Reason reason);

  const FileTrust& trust_;
  std::map<FileKey, File> files_;
  std::map<FileKey, std::string> paths_;
  std::vector<BlindSpot> blind_spots_;
  std::uint64_t tls_connections_ = 0;
  std::uint64_t tls_connections_read_ = 0;
  std::uint64_t plain_connections_ = 0;
  std::uint64_t plaintext_bytes_ = 0;
  // Of TLS connections of which all that they moved is known.
  std::uint64_t measured_connections_ = 0;
  std::uint64_t measured_plaintext_bytes_ = 0;
  std::uint64_t measured_wire_bytes_ = 0;
  std::uint64_t http_exchanges_ = 0;
  std::uint64_t ai_exchanges_ = 0;
  bool has_news_ = false;
};

}  // namespace oisp
