// What a recording came to: counted from the events as they pass, shown at the end.
#pragma once

#include <event.capnp.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "exporters/terminal/styled-line.h"

namespace oisp {

struct ModelTally {
  std::uint64_t requests = 0;
  std::uint64_t answered = 0;
  std::uint64_t errors = 0;      // answers that were none: a status of 400 and above, an error in the body
  std::uint64_t incomplete = 0;  // answers that broke off, or of which a part was not seen
  std::uint64_t tokens_in = 0;
  std::uint64_t tokens_cached = 0;
  std::uint64_t tokens_out = 0;
  bool has_usage = false;
};

struct LossTally {
  std::uint64_t lost = 0;
  std::uint64_t lost_bytes = 0;
  std::uint64_t cut = 0;
  std::uint64_t cut_bytes = 0;
  std::uint64_t unexplained = 0;
  std::vector<std::string> causes;
  bool ring = false;  // one of them is that there was no room in the kernel's ring
};

struct BlindSpotRow {
  std::string program;
  std::uint32_t pid = 0;
  std::string remote;
  std::string reason;
  std::string detail;
  std::uint64_t count = 0;
  std::size_t more_processes = 0;  // of the same program, with the same to say

  [[nodiscard]] bool says_the_same(const BlindSpotRow& other) const {
    return program == other.program && remote == other.remote && reason == other.reason && detail == other.detail;
  }
};

class Tally {
 public:
  void add_request(const std::string& provider, const std::string& model);
  // An ai.response or an ai.embedding.
  void add_answer(const std::string& provider, const std::string& model, bool failed, bool incomplete,
                  schema::Usage::Reader usage);
  void add_tool_call(const std::string& name);
  void set_coverage(schema::SensorCoverage::Reader coverage);
  void set_loss(schema::SensorLoss::Reader loss);
  void set_stop(schema::SensorStop::Reader stop);

  // Whether all that the sensor says last has been said, in whatever order.
  [[nodiscard]] bool complete() const { return stop_ && final_coverage_ && final_loss_; }
  // Blind spots that the last set_coverage() told for the first time.
  [[nodiscard]] const std::vector<BlindSpotRow>& news() const { return news_; }
  // The summary's lines, for a terminal of `columns`.
  [[nodiscard]] std::vector<StyledLine> summary(std::size_t columns) const;

 private:
  struct FileRow {
    std::string outcome;
    std::string family;
    std::string path;
    std::string reason;
    std::string trust;
  };
  struct Coverage {
    std::uint64_t processes, connections, tls, tls_read, plain, streams, bytes, http, ai, read, moved;
  };
  struct Stop {
    std::string reason;
    std::int64_t duration_ms;
    int exit_code, signal;
  };

  ModelTally& row(const std::string& provider, const std::string& model);
  [[nodiscard]] StyledLine rule(std::size_t columns) const;
  void append_models(std::vector<StyledLine>& lines, std::size_t columns) const;
  void append_tools(std::vector<StyledLine>& lines) const;
  void append_coverage(std::vector<StyledLine>& lines, std::size_t columns) const;
  void append_what_was_seen(std::vector<StyledLine>& lines) const;
  void append_files(std::vector<StyledLine>& lines) const;
  void append_blind_spots(std::vector<StyledLine>& lines, std::size_t columns) const;

  std::map<std::pair<std::string, std::string>, ModelTally> models_;
  std::map<std::string, std::uint64_t> tools_;
  std::optional<Coverage> coverage_;
  std::vector<FileRow> files_;
  std::vector<BlindSpotRow> blind_spots_;
  std::vector<BlindSpotRow> news_;
  std::optional<LossTally> loss_;
  std::optional<Stop> stop_;
  bool final_coverage_ = false;
  bool final_loss_ = false;
};

// "node[4188] → 203.0.113.9:443" and why, of one blind spot; the detail wraps at `columns`.
std::vector<StyledLine> describe_blind_spot(const BlindSpotRow& row, std::size_t columns);
// host:port, as good as it is known.
std::string describe_endpoint(schema::Endpoint::Reader endpoint);

}  // namespace oisp
