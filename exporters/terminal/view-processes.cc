// The lines of processes, connections and of the sensor itself.
#include <csignal>
#include <cstring>

#include "exporters/terminal/limits.h"
#include "exporters/terminal/quantities.h"
#include "exporters/terminal/terminal-view.h"
#include "exporters/terminal/text-columns.h"

namespace oisp {
namespace {

std::string_view view_of(capnp::Text::Reader text) { return {text.begin(), text.size()}; }

// As one would type it.
std::string shell_word(std::string_view word) {
  const bool plain = !word.empty() && word.find_first_not_of(
                                          "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                          "0123456789_@%+=:,./-") == std::string_view::npos;
  if (plain) return std::string(word);
  std::string out = "'";
  for (const char c : word) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

std::string command_line(schema::ProcessExec::Reader exec, std::size_t most_bytes) {
  std::string out;
  for (const auto word : exec.getArgs()) {
    if (!out.empty()) out += ' ';
    out += shell_word(view_of(word).substr(0, most_bytes));
    if (out.size() > most_bytes) break;
  }
  return out.empty() ? std::string(view_of(exec.getExe()).substr(0, most_bytes)) : out;
}

StyledLine describe_exit(schema::ProcessExit::Reader exit) {
  std::string words;
  const bool killed = exit.getSignal() > 0;
  if (killed) {
    words = exit.hasSignalName() ? "killed by " + harmless(view_of(exit.getSignalName()), 20)
                                 : "killed by signal " + std::to_string(exit.getSignal());
  } else if (exit.getExitCode() >= 0) {
    words = "exit " + std::to_string(exit.getExitCode());
  } else {
    words = "ended";
  }
  if (exit.getRuntimeMs() >= 0) words += " in " + short_duration(exit.getRuntimeMs());
  return StyledLine().add(words, killed || exit.getExitCode() > 0 ? Style::bad : Style::faint);
}

}  // namespace

void TerminalView::on_exec(schema::Event::Reader event, schema::ProcessExec::Reader exec) {
  const std::uint32_t pid = event.getProcess().getPid();
  if (tree_.is_root(pid) && !root_started_) {  // the first line has named it
    root_started_ = true;
    return;
  }
  StyledLine line = begin_line(event);
  line.add("exec", Style::faint);
  const std::size_t left = room(line);
  if (left > 2) line.field(harmless(command_line(exec, left * 4), left));
  if (exec.getArgsTruncated() == schema::Tri::YES) line.add(" …", Style::faint);
  put_exec(std::move(line), pid, event.getTs());
}

void TerminalView::on_exit(schema::Event::Reader event, schema::ProcessExit::Reader exit) {
  const std::uint32_t pid = event.getProcess().getPid();
  const auto shown = execs_.find(pid);
  const bool killed = exit.getSignal() > 0;
  if (shown == execs_.end()) {
    // A fork that ran no program of its own is worth a line only where it was killed.
    if (killed && !tree_.is_root(pid)) put(begin_line(event).append(describe_exit(exit)));
  } else if (shown->second >= first_held_) {
    held_[shown->second - first_held_].end = describe_exit(exit);
  } else if (killed || exit.getExitCode() > 0 || exit.getRuntimeMs() >= kLongRunMs) {
    put(begin_line(event).append(describe_exit(exit)));
  }
  if (shown != execs_.end()) execs_.erase(shown);
  tree_.remove(pid);
}

void TerminalView::on_connect(schema::Event::Reader event, schema::NetworkConnect::Reader connect) {
  if (connect.getSuccess() != schema::Tri::NO) return;
  StyledLine line = begin_line(event);
  line.add("connect to " + describe_endpoint(connect.getDest()) + " failed", Style::warning);
  line.field(one_line(view_of(connect.getError()), kMostColumns));
  put(std::move(line));
}

void TerminalView::on_handshake(schema::Event::Reader event, schema::TlsHandshake::Reader handshake) {
  if (handshake.getSuccess() != schema::Tri::NO) return;
  StyledLine line = begin_line(event);
  line.add("TLS handshake failed", Style::warning).field(harmless(view_of(handshake.getSni()), kMostColumns));
  put(std::move(line));
}

void TerminalView::on_start(schema::SensorStart::Reader start) {
  if (start.getPid() > 0) tree_.set_root(static_cast<std::uint32_t>(start.getPid()));
  root_started_ = start.getCommand().size() == 0;  // attached to: its exec was before
  if (options_.restarted) return;
  std::string scope = one_line(view_of(start.getScope()), kMostColumns);
  if (scope.empty()) scope = one_line(options_.scope, kMostColumns);
  StyledLine line;
  line.add("watching ").add(scope, Style::strong);
  if (start.hasContent()) line.add(" · ", Style::faint).add(one_line(view_of(start.getContent()), kMostColumns));
  put(std::move(line));
}

void TerminalView::on_coverage(schema::SensorCoverage::Reader coverage) {
  tally_.set_coverage(coverage);
  if (coverage.getFinal() == schema::Tri::YES) return;  // the summary tells it
  for (const BlindSpotRow& row : tally_.news()) {
    for (StyledLine& line : describe_blind_spot(row, options_.columns)) put(std::move(line));
  }
}

void TerminalView::on_loss(schema::SensorLoss::Reader loss) {
  tally_.set_loss(loss);
  if (loss.getFinal() == schema::Tri::YES || loss.getLost() == 0) return;
  StyledLine line;
  line.add("LOST", Style::bad).add("       " + counted(loss.getLost(), "record"));
  if (loss.getLostBytes() > 0) line.add(" (" + with_thousands(loss.getLostBytes()) + " B)");
  for (const auto cause : loss.getCauses()) {
    line.field(harmless(view_of(cause.getPlace()), 40) + ": " + harmless(view_of(cause.getCause()), 80), Style::faint);
    if (line.columns() > options_.columns) break;
  }
  put(std::move(line));
}

}  // namespace oisp
