// Events as lines of OISP JSON, into a file, a pipe or a terminal.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "exporters/common/exporter.h"

namespace oisp {

// In a file an event is either there as a whole line or not at all, whatever ends this process: a
// later life cuts a half-written line away and goes on after the last whole one. What lay in the file
// before this recording (the first `file_start` bytes) is never touched. Without
// `file_start` nothing counts as kept: better an event twice than none.
class JsonlSink final : public Sink {
 public:
  // `hold`: nothing is written before the end, as long as it fits in memory: the command has the
  // terminal that `output` is.
  JsonlSink(Output output, std::optional<std::uint64_t> file_start, bool hold)
      : output_(std::move(output)), file_start_(file_start), hold_(hold) {}

  Result<std::optional<std::uint64_t>> find_kept() override;
  [[nodiscard]] bool leaves_what_it_kept() const override { return output_.is_file(); }
  void render(std::uint64_t sequence, schema::Event::Reader event) override;
  Result<Done, SinkFailure> write() override;
  Result<Done, SinkFailure> finish() override;

 private:
  struct Line {
    std::uint64_t sequence;
    std::size_t end;  // in batch_
  };

  Result<Done, SinkFailure> write_batch();
  Status write_lines();
  SinkFailure fail(const Fault& fault, std::uint64_t batch_start);

  Output output_;
  std::optional<std::uint64_t> file_start_;
  bool hold_;
  std::string batch_;
  std::vector<Line> lines_;
  std::optional<std::uint64_t> whole_;  // the last event that is in the output as a whole
};

// The process around it.
extern const Exporter kJsonlExporter;

}  // namespace oisp
