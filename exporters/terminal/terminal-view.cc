#include "exporters/terminal/terminal-view.h"

#include <algorithm>

#include "exporters/terminal/limits.h"
#include "exporters/terminal/quantities.h"
#include "exporters/terminal/text-columns.h"

namespace oisp {
namespace {

constexpr std::size_t kExitColumn = 100;  // where the end of a process stands at most
// A program that replaces itself so soon was only the way to the next: env, a script's interpreter.
constexpr std::uint64_t kPassingNs = 100'000'000;
constexpr std::size_t kFirstWhoColumns = 14;  // python3[12345]
constexpr std::size_t kMostWhoColumns = 22;

std::size_t sane_columns(std::size_t columns) {
  return columns == 0 ? kDefaultColumns : std::clamp(columns, kFewestColumns, kMostColumns);
}

}  // namespace

TerminalView::TerminalView(ViewOptions options, std::function<void(std::string_view)> write)
    : options_(std::move(options)), write_(std::move(write)) {
  options_.columns = sane_columns(options_.columns);
  begin_recording();
  if (options_.restarted) put(StyledLine().add("(the view was started again: it counts from here on)", Style::faint));
}

void TerminalView::begin_recording() {
  tree_ = {};
  tally_ = {};
  requests_.clear();
  request_order_.clear();
  execs_.clear();
  requests_seen_ = 0;
  who_columns_ = options_.columns < kNarrowColumns ? 8 : kFirstWhoColumns;
  provider_columns_ = model_columns_ = 0;
  last_request_id_.clear();
  root_started_ = any_event_ = summary_shown_ = false;
}

void TerminalView::on_event(schema::Event::Reader event) {
  const auto data = event.getData();
  if (data.isSensorStart() && any_event_) {  // a file may hold several recordings
    finish();
    begin_recording();
  }
  any_event_ = true;
  if (event.hasProcess()) tree_.add(event.getProcess().getPid(), event.getProcess().getPpid());
  switch (data.which()) {
    case schema::Event::Data::UNSET:
      return;
    case schema::Event::Data::AI_REQUEST:
      return on_request(event, data.getAiRequest());
    case schema::Event::Data::AI_RESPONSE:
      return on_response(event, data.getAiResponse());
    case schema::Event::Data::AI_EMBEDDING:
      return on_embedding(event, data.getAiEmbedding());
    case schema::Event::Data::TOOL_CALL:
      return on_tool_call(event, data.getToolCall());
    case schema::Event::Data::TOOL_RESULT:
      return on_tool_result(event, data.getToolResult());
    case schema::Event::Data::PROCESS_EXEC:
      return on_exec(event, data.getProcessExec());
    case schema::Event::Data::PROCESS_EXIT:
      return on_exit(event, data.getProcessExit());
    case schema::Event::Data::PROCESS_FORK:
      return tree_.add(data.getProcessFork().getChildPid(), event.getProcess().getPid());
    case schema::Event::Data::NETWORK_CONNECT:
      return on_connect(event, data.getNetworkConnect());
    case schema::Event::Data::NETWORK_FLOW:
      break;
    case schema::Event::Data::TLS_HANDSHAKE:
      return on_handshake(event, data.getTlsHandshake());
    case schema::Event::Data::SENSOR_START:
      return on_start(data.getSensorStart());
    case schema::Event::Data::SENSOR_STOP:
      tally_.set_stop(data.getSensorStop());
      break;
    case schema::Event::Data::SENSOR_COVERAGE:
      on_coverage(data.getSensorCoverage());
      break;
    case schema::Event::Data::SENSOR_LOSS:
      on_loss(data.getSensorLoss());
      break;
  }
  if (tally_.complete()) finish();
}

void TerminalView::finish() {
  write_all_held();
  if (any_event_ && !summary_shown_) show_summary();
}

void TerminalView::show_summary() {
  for (StyledLine& line : tally_.summary(options_.columns)) {
    write_(line.cut(options_.columns).render(options_.colour));
  }
  summary_shown_ = true;
}

std::size_t TerminalView::room(const StyledLine& line) const {
  return options_.columns > line.columns() ? options_.columns - line.columns() : 0;
}

StyledLine TerminalView::begin_line(schema::Event::Reader event, std::string_view request_id) {
  const bool narrow = options_.columns < kNarrowColumns;
  const std::size_t time_columns = options_.columns < kComfortableColumns ? 8 : 12;
  StyledLine line;
  const auto process = event.getProcess();
  const std::string name = harmless({process.getName().begin(), process.getName().size()}, kMostWhoColumns);
  const std::string number = '[' + std::to_string(process.getPid()) + ']';
  const std::string indent(tree_.level(process.getPid()) * (narrow ? 1 : 2), ' ');
  const std::size_t wanted = indent.size() + columns_of(name) + (narrow ? 0 : number.size());
  who_columns_ = std::max(who_columns_, std::min(wanted, narrow ? std::size_t{14} : kMostWhoColumns));

  if (request_id.empty() || request_id != last_request_id_) {
    line.add(clock_time(event.getTs(), options_.utc_offset_seconds).substr(0, time_columns), Style::faint);
    line.add(" ").add(indent).add(name);
    if (!narrow) line.add(number, Style::faint);
  }
  line.pad_to(time_columns + 1 + who_columns_ + 2, 1);
  return line;
}

void TerminalView::put(StyledLine line, std::string_view request_id) {
  last_request_id_ = request_id;
  ++lines_;
  held_.push_back({.line = std::move(line), .end = {}});
  switch (options_.holding) {
    case Holding::none:
      return write_all_held();
    case Holding::briefly:
      if (held_.size() <= kLookaheadLines) return;
      write_held(held_.front());
      break;
    case Holding::until_finish:
      if (held_.size() <= kMostHeldLines) return;
      ++dropped_lines_;
      break;
  }
  held_.pop_front();
  ++first_held_;
}

// The last line is kept for a moment where it is a program's start: its end, or the program that it
// becomes, may follow at once and stand on the same line.
void TerminalView::put_exec(StyledLine line, std::uint32_t pid, std::uint64_t ts) {
  const auto before = execs_.find(pid);
  const bool passing =
      before != execs_.end() && !held_.empty() && before->second == lines_ - 1 && ts - last_exec_ts_ < kPassingNs;
  last_exec_ts_ = ts;
  if (passing) {
    held_.back().line = std::move(line);
    return;
  }
  if (execs_.size() >= kMostProcesses) execs_.clear();
  execs_[pid] = lines_;
  if (options_.holding != Holding::none) return put(std::move(line));
  write_all_held();
  last_request_id_.clear();
  ++lines_;
  held_.push_back({.line = std::move(line), .end = {}});
}

void TerminalView::flush() {
  if (options_.holding == Holding::none) write_all_held();
}

void TerminalView::write_held(const Held& held) {
  StyledLine line = held.line;
  if (!held.end.empty()) {
    const std::size_t right = std::min(options_.columns, kExitColumn);
    const std::size_t end = held.end.columns();
    line.cut(options_.columns - end - 2).pad_to(right - std::min(right, end), 2).append(held.end);
  }
  write_(line.cut(options_.columns).render(options_.colour));
}

void TerminalView::write_all_held() {
  if (dropped_lines_ > 0) {
    write_("… " + counted(dropped_lines_, "earlier line") + " not kept: record with -o FILE to have all\n");
    dropped_lines_ = 0;
  }
  for (const Held& held : held_) write_held(held);
  first_held_ += held_.size();
  held_.clear();
}

const TerminalView::Request* TerminalView::find_request(capnp::Text::Reader id) const {
  const auto found = requests_.find(std::string(id.begin(), id.size()));
  return found == requests_.end() ? nullptr : &found->second;
}

}  // namespace oisp
