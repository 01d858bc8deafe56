#include "exporters/terminal/tally.h"

#include <csignal>
#include <cstring>

#include <algorithm>
#include <tuple>

#include "exporters/terminal/limits.h"
#include "exporters/terminal/quantities.h"
#include "exporters/terminal/text-columns.h"

namespace oisp {
namespace {

constexpr std::size_t kLabelColumns = 11;  // "coverage   "
constexpr std::size_t kRuleColumns = 80;

std::string text_of(capnp::Text::Reader text, std::size_t most = kMostColumns) {
  return harmless({text.begin(), text.size()}, most);
}

void add_number(std::uint64_t& sum, capnp::Text::Reader digits, bool& any) {
  const auto number = whole_number({digits.begin(), digits.size()});
  if (!number) return;
  sum += *number;
  any = true;
}

std::string words_for(const std::string& reason) {
  static const std::map<std::string, const char*> kWords = {
      {"no_tls_library", "no known TLS library in the program"},
      {"probe_refused", "its TLS library could not be probed"},
      {"joined_late", "the connection was open before it was watched"},
      {"not_attributed", "no TLS stream could be matched with this connection"},
      {"not_http", "what was read is not HTTP"},
      {"distrusted", "what was taken for its TLS library passes no plaintext"},
      {"unseen_call", "a part passed in calls that are not looked into"},
      {"plain_http", "this kernel cannot show what passes without TLS"},
  };
  const auto known = kWords.find(reason);
  return known == kWords.end() ? reason : known->second;
}

std::string ended_as(int exit_code, int signal) {
  if (signal > 0) {
    const char* name = ::sigabbrev_np(signal);
    return name != nullptr ? std::string("killed by SIG") + name : "killed by signal " + std::to_string(signal);
  }
  return exit_code >= 0 ? "exit " + std::to_string(exit_code) : "";
}

// Words of `text` in lines of at most `columns`.
std::vector<std::string> wrap(const std::string& text, std::size_t columns) {
  std::vector<std::string> lines(1);
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    const std::string word = text.substr(begin, end - begin);
    if (!lines.back().empty() && columns_of(lines.back()) + 1 + columns_of(word) > columns) lines.emplace_back();
    if (!lines.back().empty()) lines.back() += ' ';
    lines.back() += word;
    begin = end + 1;
  }
  return lines;
}

// `rest` on the same line where it fits, else beneath.
void put_joined(std::vector<StyledLine>& lines, StyledLine head, const StyledLine& rest, std::size_t columns) {
  lines.push_back(std::move(head));
  if (rest.empty()) return;
  if (lines.back().columns() + 2 + rest.columns() > columns) {
    lines.emplace_back();
    lines.back().pad_to(kLabelColumns);
  } else {
    lines.back().add("  ");
  }
  lines.back().append(rest);
}

}  // namespace

std::string describe_endpoint(schema::Endpoint::Reader endpoint) {
  std::string host = text_of(endpoint.hasDomain() ? endpoint.getDomain() : endpoint.getIp());
  if (!endpoint.hasDomain() && host.find(':') != std::string::npos) host = '[' + host + ']';
  if (endpoint.getPort() >= 0) host += ':' + std::to_string(endpoint.getPort());
  return host;
}

std::vector<StyledLine> describe_blind_spot(const BlindSpotRow& row, std::size_t columns) {
  StyledLine line;
  std::string who;
  if (row.pid > 0) who = row.program + '[' + std::to_string(row.pid) + ']';
  if (row.more_processes > 0) who += " and " + with_thousands(row.more_processes) + " more";
  line.add("NOT SEEN", Style::warning).pad_to(kLabelColumns).add(who);
  if (!row.remote.empty()) line.add(who.empty() ? "→ " : " → ").add(row.remote);
  if (row.count > 1) line.field("× " + with_thousands(row.count), Style::faint);
  const std::string why = row.detail.empty() ? words_for(row.reason) : row.detail;
  if (line.columns() + 2 + columns_of(why) <= columns) {
    line.field(why);
    return {line};
  }
  std::vector<StyledLine> lines = {line};
  for (const std::string& part : wrap(why, columns > kLabelColumns + 20 ? columns - kLabelColumns : 20)) {
    lines.emplace_back();
    lines.back().pad_to(kLabelColumns).add(part);
  }
  return lines;
}

ModelTally& Tally::row(const std::string& provider, const std::string& model) {
  const auto key = std::make_pair(provider, model);
  if (models_.size() < kMostModels || models_.count(key) > 0) return models_[key];
  return models_[{"others", ""}];
}

void Tally::add_request(const std::string& provider, const std::string& model) { ++row(provider, model).requests; }

void Tally::add_answer(const std::string& provider, const std::string& model, bool failed, bool incomplete,
                       schema::Usage::Reader usage) {
  ModelTally& counts = row(provider, model);
  ++(failed && !incomplete ? counts.errors : incomplete ? counts.incomplete : counts.answered);
  bool cached = false;
  add_number(counts.tokens_in, usage.getPromptTokens(), counts.has_usage);
  add_number(counts.tokens_out, usage.getCompletionTokens(), counts.has_usage);
  add_number(counts.tokens_cached, usage.getCachedTokens(), cached);
}

void Tally::add_tool_call(const std::string& name) {
  ++tools_[tools_.size() < kMostTools || tools_.count(name) > 0 ? name : "others"];
}

void Tally::set_coverage(schema::SensorCoverage::Reader coverage) {
  final_coverage_ |= coverage.getFinal() == schema::Tri::YES;
  coverage_ = Coverage{.processes = coverage.getProcesses(),
                       .connections = coverage.getConnections(),
                       .tls = coverage.getTlsConnections(),
                       .tls_read = coverage.getTlsConnectionsRead(),
                       .plain = coverage.getPlainConnections(),
                       .streams = coverage.getStreams(),
                       .bytes = coverage.getPlaintextBytes(),
                       .http = coverage.getHttpExchanges(),
                       .ai = coverage.getAiExchanges(),
                       .read = coverage.getMeasuredPlaintextBytes(),
                       .moved = coverage.getMeasuredWireBytes()};
  if (coverage.hasFiles()) {
    files_.clear();
    for (const auto file : coverage.getFiles()) {
      if (files_.size() >= kMostBlindSpots) break;
      files_.push_back({.outcome = text_of(file.getOutcome()),
                        .family = text_of(file.getFamily()),
                        .path = text_of(file.getPath()),
                        .reason = text_of(file.getReason()),
                        .trust = text_of(file.getTrust())});
    }
  }
  news_.clear();
  for (const auto spot : coverage.getBlindSpots()) {
    const auto process = spot.getProcess();
    BlindSpotRow row{.reason = text_of(spot.getReason()),
                     .detail = one_line({spot.getDetail().begin(), spot.getDetail().size()}, kMostColumns),
                     .count = spot.getCount()};
    if (spot.hasProcess()) {
      row.program = text_of(process.getName());
      row.pid = process.getPid();
    }
    if (spot.hasRemote()) row.remote = describe_endpoint(spot.getRemote());
    const auto says_the_same = [&](const BlindSpotRow& known) { return known.says_the_same(row); };
    const auto same = std::find_if(blind_spots_.begin(), blind_spots_.end(),
                                   [&](const auto& known) { return known.pid == row.pid && says_the_same(known); });
    if (same != blind_spots_.end()) {
      *same = row;
    } else if (blind_spots_.size() < kMostBlindSpots) {
      if (std::none_of(blind_spots_.begin(), blind_spots_.end(), says_the_same)) news_.push_back(row);
      blind_spots_.push_back(row);
    }
  }
}

void Tally::set_loss(schema::SensorLoss::Reader loss) {
  // The last one speaks of the whole recording; those before it of the time since the one before.
  final_loss_ |= loss.getFinal() == schema::Tri::YES;
  if (!loss_ || final_loss_) loss_.emplace();
  loss_->lost += loss.getLost();
  loss_->lost_bytes += loss.getLostBytes();
  loss_->cut += loss.getCut();
  loss_->cut_bytes += loss.getCutBytes();
  loss_->unexplained += loss.getUnexplained();
  for (const auto cause : loss.getCauses()) {
    loss_->ring |= cause.getPlace() == "ring";
    if (loss_->causes.size() >= kMostTools) break;
    loss_->causes.push_back(text_of(cause.getFamily()) + ", " + text_of(cause.getPlace()) + ": " +
                            text_of(cause.getCause()) + " (" + with_thousands(cause.getCount()) + ")");
  }
}

void Tally::set_stop(schema::SensorStop::Reader stop) {
  stop_ = Stop{.reason = text_of(stop.getReason()),
               .duration_ms = stop.getDurationMs(),
               .exit_code = stop.getCommandExitCode(),
               .signal = stop.getCommandSignal()};
}

StyledLine Tally::rule(std::size_t columns) const {
  std::vector<std::string> parts;
  if (stop_ && stop_->duration_ms >= 0) parts.push_back(short_duration(stop_->duration_ms));
  if (coverage_) parts.push_back(counted(coverage_->processes, "process"));
  if (stop_) {
    if (stop_->reason != "command_ended") {
      std::string words = stop_->reason;
      std::replace(words.begin(), words.end(), '_', ' ');
      parts.push_back(words);
    }
    parts.push_back(ended_as(stop_->exit_code, stop_->signal));
  } else {
    parts.emplace_back("the recording has no end");
  }
  std::string text;
  for (const std::string& part : parts) {
    if (part.empty()) continue;
    if (!text.empty()) text += " · ";
    text += part;
  }
  StyledLine line;
  line.add("── ", Style::faint).add(text, Style::strong).add(" ");
  std::string rest;
  for (std::size_t column = line.columns(); column < std::min(columns, kRuleColumns); ++column) rest += "─";
  line.add(rest, Style::faint);
  return line;
}

void Tally::append_models(std::vector<StyledLine>& lines, std::size_t columns) const {
  std::size_t provider_columns = kLabelColumns - 2;
  std::size_t model_columns = 0;
  std::size_t request_columns = 0;
  for (const auto& [key, counts] : models_) {
    provider_columns = std::max(provider_columns, columns_of(key.first));
    model_columns = std::max(model_columns, columns_of(key.second));
    request_columns = std::max(request_columns, counted(counts.requests, "request").size());
  }
  for (const auto& [key, counts] : models_) {
    StyledLine line;
    line.add(key.first).pad_to(provider_columns + 2).add(key.second, Style::strong);
    line.pad_to(provider_columns + 2 + model_columns + 2);
    const std::string requests = counted(counts.requests, "request");
    line.add(std::string(request_columns - requests.size(), ' ')).add(requests);
    line.field(with_thousands(counts.answered) + " answered");
    if (counts.errors > 0) line.field(counted(counts.errors, "error"), Style::bad);
    if (counts.incomplete > 0) line.field(with_thousands(counts.incomplete) + " incomplete", Style::warning);
    const std::uint64_t ended = counts.answered + counts.errors + counts.incomplete;
    if (counts.requests > ended) line.field(with_thousands(counts.requests - ended) + " unanswered", Style::warning);
    StyledLine tokens;
    if (counts.has_usage) {
      tokens.add("in " + with_thousands(counts.tokens_in));
      if (counts.tokens_cached > 0) tokens.add(" (cached " + with_thousands(counts.tokens_cached) + ")", Style::faint);
      tokens.field("out " + with_thousands(counts.tokens_out));
    }
    put_joined(lines, std::move(line), tokens, columns);
  }
}

void Tally::append_tools(std::vector<StyledLine>& lines) const {
  if (tools_.empty()) return;
  std::vector<std::pair<std::uint64_t, std::string>> ranked;
  std::uint64_t total = 0;
  for (const auto& [name, count] : tools_) {
    ranked.emplace_back(count, name);
    total += count;
  }
  std::stable_sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  lines.emplace_back();
  StyledLine& line = lines.back();
  line.add("tools").pad_to(kLabelColumns).add(counted(total, "call"));
  for (std::size_t i = 0; i < std::min(ranked.size(), kShownTools); ++i) {
    line.field(ranked[i].second).add(" " + with_thousands(ranked[i].first), Style::faint);
  }
  if (ranked.size() > kShownTools) line.field("…");
}

void Tally::append_coverage(std::vector<StyledLine>& lines, std::size_t columns) const {
  StyledLine line;
  line.add("coverage").pad_to(kLabelColumns);
  if (!coverage_) {
    lines.push_back(line.add("not told: the recording did not come to its end", Style::warning));
    return;
  }
  const bool all = coverage_->tls_read >= coverage_->tls;
  if (coverage_->tls == 0) {
    line.add("no TLS connections");
  } else {
    line.add(with_thousands(coverage_->tls_read) + " of " + counted(coverage_->tls, "TLS connection") + " read",
             all ? Style::plain : Style::warning);
  }
  if (coverage_->plain > 0) line.add(", " + with_thousands(coverage_->plain) + " without TLS");
  if (coverage_->moved > 0) {
    line.add(" (" + with_thousands(coverage_->read) + " of " + with_thousands(coverage_->moved) + " B)");
  } else if (coverage_->bytes > 0) {
    line.add(" (" + with_thousands(coverage_->bytes) + " B)");
  }
  StyledLine losses;
  const auto number = [&](const char* word, std::uint64_t count, std::uint64_t bytes, Style style) {
    losses.add(losses.empty() ? "" : "   ").add(word + with_thousands(count), count > 0 ? style : Style::plain);
    if (bytes > 0) losses.add(" (" + with_thousands(bytes) + " B)", style);
  };
  if (loss_) {
    number("lost ", loss_->lost, loss_->lost_bytes, Style::bad);
    number("cut ", loss_->cut, loss_->cut_bytes, Style::warning);
    if (loss_->unexplained > 0) number("unexplained ", loss_->unexplained, 0, Style::bad);
  }
  put_joined(lines, std::move(line.add(" ")), losses, columns);
  if (!loss_) return;
  for (const std::string& cause : loss_->causes) {
    lines.emplace_back();
    lines.back().pad_to(kLabelColumns).add(cause, Style::warning);
  }
  if (!loss_->ring) return;
  lines.emplace_back();
  lines.back().pad_to(kLabelColumns).add("what comes faster than it is read needs more room: --buffer-size");
}

// A recording without model traffic must not look like one that was blind.
void Tally::append_what_was_seen(std::vector<StyledLine>& lines) const {
  lines.emplace_back();
  lines.back().add("no requests to a model were seen", Style::strong);
  if (!coverage_) return;
  lines.emplace_back();
  lines.back()
      .add("seen")
      .pad_to(kLabelColumns)
      .add(counted(coverage_->processes, "process"))
      .field(counted(coverage_->connections, "TCP connection"))
      .field(counted(coverage_->streams, "stream") + " read")
      .field(counted(coverage_->http, "HTTP exchange"));
  if (files_.empty()) {
    lines.emplace_back();
    lines.back()
        .add("probed")
        .pad_to(kLabelColumns)
        .add("nothing: no file with a known TLS library was mapped", Style::warning);
  }
  append_files(lines);
}

// What was probed first; files with the same to say share a line.
void Tally::append_files(std::vector<StyledLine>& lines) const {
  std::map<std::tuple<bool, std::string, std::string, std::string>, std::vector<std::string>> groups;
  for (const FileRow& file : files_) {
    const bool distrusted = file.trust == "distrusted";
    groups[{distrusted || file.outcome != "probed", distrusted ? file.trust : file.outcome, file.family,
            file.trust == "unproven" ? "no stream has proved it yet" : file.reason}]
        .push_back(file.path);
  }
  for (const auto& [key, paths] : groups) {
    const auto& [troubled, outcome, family, reason] = key;
    std::string names;
    for (std::size_t i = 0; i < std::min(paths.size(), kShownFiles); ++i) names += (i > 0 ? ", " : "") + paths[i];
    if (paths.size() > kShownFiles) names += " and " + std::to_string(paths.size() - kShownFiles) + " more";
    StyledLine line;
    line.add(outcome, troubled ? Style::warning : Style::plain).pad_to(kLabelColumns).add(names);
    lines.push_back(line.field(family, Style::faint).field(reason, troubled ? Style::warning : Style::plain));
  }
}

void Tally::append_blind_spots(std::vector<StyledLine>& lines, std::size_t columns) const {
  std::vector<BlindSpotRow> rows;
  for (const BlindSpotRow& spot : blind_spots_) {
    const auto same =
        std::find_if(rows.begin(), rows.end(), [&](const BlindSpotRow& known) { return known.says_the_same(spot); });
    if (same == rows.end()) {
      rows.push_back(spot);
    } else {
      same->count += spot.count;
      ++same->more_processes;
    }
  }
  for (std::size_t i = 0; i < std::min(rows.size(), kShownBlindSpots); ++i) {
    for (StyledLine& line : describe_blind_spot(rows[i], columns)) lines.push_back(std::move(line));
  }
  if (rows.size() <= kShownBlindSpots) return;
  const std::string more = "and " + std::to_string(rows.size() - kShownBlindSpots) + " more, in sensor.coverage";
  lines.push_back(StyledLine().pad_to(kLabelColumns).add(more));
}

std::vector<StyledLine> Tally::summary(std::size_t columns) const {
  std::vector<StyledLine> lines = {rule(columns)};
  if (models_.empty()) {
    append_what_was_seen(lines);
  } else {
    append_models(lines, columns);
    append_tools(lines);
  }
  append_coverage(lines, columns);
  append_blind_spots(lines, columns);
  return lines;
}

}  // namespace oisp
