// The live view: what people see of a recording while it runs, and of a file with `show`.
//
// Events go in in order; whole lines come out. Every byte that came from a captured program is made
// harmless first, and no line is wider than the terminal.
#pragma once

#include <event.capnp.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "exporters/terminal/process-tree.h"
#include "exporters/terminal/styled-line.h"
#include "exporters/terminal/tally.h"

namespace oisp {

// When lines are written.
enum class Holding {
  none,          // at once
  briefly,       // a while later, so that a program's exit stands beside its start (for files)
  until_finish,  // at the end: the command has the terminal
};

struct ViewOptions {
  bool colour = false;
  std::size_t columns = 0;  // 0: not known
  Holding holding = Holding::none;
  std::string scope;                       // for the first line, where sensor.start does not tell it
  std::optional<long> utc_offset_seconds;  // nothing: local time
  bool restarted = false;                  // an earlier life of the view has shown what came before
};

class TerminalView {
 public:
  TerminalView(ViewOptions options, std::function<void(std::string_view)> write);
  TerminalView(const TerminalView&) = delete;
  TerminalView& operator=(const TerminalView&) = delete;

  void on_event(schema::Event::Reader event);
  // Nothing more is there for now: writes what is held only in the hope of a better line.
  void flush();
  // No more events will come: what is held is written, and the summary unless it was.
  void finish();

 private:
  struct Request {
    std::uint64_t number;
    std::string provider;
    std::string model;
  };
  struct Held {
    StyledLine line;
    StyledLine end;  // what became of the process that the line is about; stands at the right
  };

  // One method an event type.
  void on_request(schema::Event::Reader event, schema::AiRequest::Reader request);
  void on_response(schema::Event::Reader event, schema::AiResponse::Reader response);
  void on_embedding(schema::Event::Reader event, schema::AiEmbedding::Reader embedding);
  // What answers of every kind begin with.
  template <typename Answer>
  StyledLine begin_answer(schema::Event::Reader event, Answer answer);
  void on_tool_call(schema::Event::Reader event, schema::ToolCall::Reader call);
  void on_tool_result(schema::Event::Reader event, schema::ToolResult::Reader result);
  void on_exec(schema::Event::Reader event, schema::ProcessExec::Reader exec);
  void on_exit(schema::Event::Reader event, schema::ProcessExit::Reader exit);
  void on_connect(schema::Event::Reader event, schema::NetworkConnect::Reader connect);
  void on_handshake(schema::Event::Reader event, schema::TlsHandshake::Reader handshake);
  void on_start(schema::SensorStart::Reader start);
  void on_coverage(schema::SensorCoverage::Reader coverage);
  void on_loss(schema::SensorLoss::Reader loss);

  // The columns before what happened: time and process. Empty where the line before was about the
  // same exchange (`request_id`).
  StyledLine begin_line(schema::Event::Reader event, std::string_view request_id = {});
  void put(StyledLine line, std::string_view request_id = {});
  void put_exec(StyledLine line, std::uint32_t pid, std::uint64_t ts);
  void write_held(const Held& held);
  void write_all_held();
  void show_summary();
  void begin_recording();
  void add_quote(StyledLine& line, const std::string& words, Style style) const;
  [[nodiscard]] std::size_t room(const StyledLine& line) const;
  [[nodiscard]] const Request* find_request(capnp::Text::Reader id) const;

  ViewOptions options_;
  std::function<void(std::string_view)> write_;
  ProcessTree tree_;
  Tally tally_;
  std::unordered_map<std::string, Request> requests_;  // by request id
  std::deque<std::string> request_order_;              // oldest first, for the bound
  std::uint64_t requests_seen_ = 0;
  std::deque<Held> held_;
  std::uint64_t first_held_ = 0;                            // number of held_.front()
  std::unordered_map<std::uint32_t, std::uint64_t> execs_;  // pid -> number of its line
  std::uint64_t last_exec_ts_ = 0;
  std::uint64_t lines_ = 0;
  std::uint64_t dropped_lines_ = 0;
  std::size_t who_columns_ = 0;
  std::size_t provider_columns_ = 0;
  std::size_t model_columns_ = 0;
  std::string last_request_id_;  // of the exchange that the last line was about
  bool root_started_ = false;
  bool any_event_ = false;
  bool summary_shown_ = false;
};

}  // namespace oisp
