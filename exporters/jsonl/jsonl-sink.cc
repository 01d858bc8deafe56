#include "exporters/jsonl/jsonl-sink.h"

#include <sys/stat.h>
#include <unistd.h>

#include <limits>

#include "exporters/common/limits.h"
#include "exporters/jsonl/resume.h"
#include "ipc-schema/event-json.h"
#include "ipc-schema/order.h"
#include "ipc-schema/sink.h"

namespace oisp {
namespace {

constexpr const char* kCalls[] = {"ftruncate", "lseek", "pread64"};

std::unique_ptr<Sink> make_sink(const ExporterOptions& options, Output output) {
  return std::make_unique<JsonlSink>(std::move(output), options.number("output_start"),
                                     (options.flags & kSinkHold) != 0);
}

}  // namespace

const Exporter kJsonlExporter{
    .name = "oisp-exporter-jsonl", .process_name = "oisp-jsonl", .allowed_calls = kCalls, .make_sink = make_sink};

Result<std::optional<std::uint64_t>> JsonlSink::find_kept() {
  if (!output_.is_file()) return std::optional<std::uint64_t>{};
  const auto resumed = resume_file(output_.fd(), file_start_.value_or(std::numeric_limits<std::uint64_t>::max()));
  if (!resumed) return resumed.error();
  // Where the user did not open the file for appending, the position is ours to set.
  if (::lseek(output_.fd(), static_cast<off_t>(resumed.value().size), SEEK_SET) < 0) return errno_fault("seek");
  whole_ = resumed.value().sequence;
  return whole_;
}

void JsonlSink::render(std::uint64_t sequence, schema::Event::Reader event) {
  append_event_json(batch_, event);
  batch_ += '\n';
  lines_.push_back({.sequence = sequence, .end = batch_.size()});
}

// A file takes the batch in one write; what reads a pipe or looks at a terminal gets whole lines.
Status JsonlSink::write_lines() {
  if (output_.is_file()) return output_.write(batch_);
  std::size_t begin = 0;
  for (const Line& line : lines_) {
    OISP_TRY(output_.write(std::string_view(batch_).substr(begin, line.end - begin)));
    begin = line.end;
  }
  return Done{};
}

Result<Done, SinkFailure> JsonlSink::write() {
  if (hold_ && batch_.size() <= kMostHeldBytes) return Done{};
  return write_batch();
}

Result<Done, SinkFailure> JsonlSink::write_batch() {
  const std::uint64_t before = output_.written();
  if (const Status wrote = write_lines(); !wrote) return fail(wrote.error(), before);
  if (!lines_.empty()) whole_ = lines_.back().sequence;
  lines_.clear();
  batch_.clear();
  if (batch_.capacity() > kKeptBufferBytes) batch_.shrink_to_fit();
  return Done{};
}

// Says exactly which events are there, and takes a line that is there in part away again.
SinkFailure JsonlSink::fail(const Fault& fault, std::uint64_t before) {
  const std::uint64_t wrote = output_.written() - before;
  std::size_t whole_bytes = 0;
  for (const Line& line : lines_) {
    if (line.end > wrote) break;
    whole_bytes = line.end;
    whole_ = line.sequence;
  }
  const std::uint64_t partial = wrote - whole_bytes;
  if (!output_.is_file() || partial == 0) return {.fault = fault, .whole = whole_};
  // Only what this process wrote last is cut: if the file ends elsewhere, somebody else writes too.
  struct stat status {};
  const off_t position = ::lseek(output_.fd(), 0, SEEK_CUR);
  const bool ours = ::fstat(output_.fd(), &status) == 0 && position == status.st_size;
  if (ours && ::ftruncate(output_.fd(), position - static_cast<off_t>(partial)) == 0) {
    return {.fault = fault, .whole = whole_};
  }
  return {.fault = {.what = fault.what + " (its last line is incomplete)", .error = fault.error}, .whole = whole_};
}

Result<Done, SinkFailure> JsonlSink::finish() { return write_batch(); }

}  // namespace oisp
