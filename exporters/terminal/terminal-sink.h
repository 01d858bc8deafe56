// The live view as a sink.
#pragma once

#include <optional>
#include <string>

#include "exporters/common/exporter.h"
#include "exporters/terminal/terminal-view.h"

namespace oisp {

// What a terminal has shown is delivered. A terminal that is gone takes nothing more; that must not
// hold up the recording, so events are acknowledged all the same.
class TerminalSink final : public Sink {
 public:
  TerminalSink(ViewOptions options, Output output);

  Result<std::optional<std::uint64_t>> find_kept() override { return std::optional<std::uint64_t>{}; }
  [[nodiscard]] bool leaves_what_it_kept() const override { return false; }
  void render(std::uint64_t sequence, schema::Event::Reader event) override;
  Result<Done, SinkFailure> write() override;
  Result<Done, SinkFailure> finish() override;

 private:
  Output output_;
  std::string text_;
  bool gone_ = false;
  TerminalView view_;
};

// The process around it.
extern const Exporter kTerminalExporter;

}  // namespace oisp
