#include "exporters/terminal/terminal-sink.h"

#include "ipc-schema/order.h"
#include "ipc-schema/sink.h"

namespace oisp {
namespace {

std::unique_ptr<Sink> make_sink(const ExporterOptions& options, Output output) {
  ViewOptions view;
  view.colour = (options.flags & kSinkColour) != 0;
  view.columns = options.number("width").value_or(0);
  view.holding = (options.flags & kSinkHold) != 0 ? Holding::until_finish : Holding::none;
  view.scope = options.text("scope");
  view.restarted = options.number("restarted").value_or(0) > 0;
  return std::make_unique<TerminalSink>(std::move(view), std::move(output));
}

}  // namespace

const Exporter kTerminalExporter{
    .name = "oisp-exporter-terminal", .process_name = "oisp-terminal", .allowed_calls = {}, .make_sink = make_sink};

TerminalSink::TerminalSink(ViewOptions options, Output output)
    : output_(std::move(output)), view_(std::move(options), [this](std::string_view text) { text_ += text; }) {}

void TerminalSink::render(std::uint64_t, schema::Event::Reader event) { view_.on_event(event); }

Result<Done, SinkFailure> TerminalSink::write() {
  view_.flush();
  if (!gone_ && !output_.write(text_)) gone_ = true;
  text_.clear();
  return Done{};
}

Result<Done, SinkFailure> TerminalSink::finish() {
  view_.finish();
  return write();
}

}  // namespace oisp
