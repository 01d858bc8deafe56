// The skeleton of every exporter: orders from the supervisor, the connection with the collector,
// acknowledgements, the end. A new kind of sink is a Sink and a main function of five lines.
//
// Trust: an exporter holds one descriptor of the user's (its output) and decodes messages of the
// collector, which reads strangers' bytes. It has no capabilities, no network and no files.
#pragma once

#include <event.capnp.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "exporters/common/output.h"

namespace oisp {

// What the supervisor said before `begin`.
struct ExporterOptions {
  std::map<std::string, std::string, std::less<>> config;  // the last value of each key
  std::vector<std::string> command;                        // argv of CMD
  std::uint64_t flags = 0;                                 // kSink…

  [[nodiscard]] std::string_view text(std::string_view key) const;
  // A decimal number; nothing where the key is missing or no number.
  [[nodiscard]] std::optional<std::uint64_t> number(std::string_view key) const;
};

struct SinkFailure {
  Fault fault;
  std::optional<std::uint64_t> whole;  // up to and with this event, all are where they belong
};

class Sink {
 public:
  virtual ~Sink() = default;
  // Called once, first: the highest sequence that an earlier life of this sink left in the output.
  virtual Result<std::optional<std::uint64_t>> find_kept() = 0;
  // Whether the next life will find there all that this one writes, acknowledged or not.
  [[nodiscard]] virtual bool leaves_what_it_kept() const = 0;
  // Makes ready one event; each comes once, in order. Must not keep the reader.
  virtual void render(std::uint64_t sequence, schema::Event::Reader event) = 0;
  // All that was rendered goes where it belongs; it is acknowledged when this succeeds.
  virtual Result<Done, SinkFailure> write() = 0;
  // No more events will come.
  virtual Result<Done, SinkFailure> finish() = 0;
};

struct Exporter {
  const char* name;                            // in the log
  const char* process_name;                    // at most 15 bytes
  std::span<const char* const> allowed_calls;  // besides the skeleton's
  std::unique_ptr<Sink> (*make_sink)(const ExporterOptions& options, Output output);
};

// The main function of an exporter; returns the exit status.
int run_exporter(const Exporter& exporter);

}  // namespace oisp
