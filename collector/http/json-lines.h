// JSON lines (NDJSON), fed in pieces split at any byte: each line with something on it is an event.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "collector/http/sse.h"

namespace oisp {

class JsonLinesParser {
 public:
  // `most_bytes`: of one line.
  JsonLinesParser(SseListener& listener, std::size_t most_bytes) : listener_(listener), most_bytes_(most_bytes) {}

  void on_bytes(std::string_view bytes);
  // Bytes are missing here: the line that is open is dropped, and all up to the next line's end.
  void on_gap();
  // Nothing follows, and nothing was missing: the last line needs no end.
  void on_end() { end_line(); }
  [[nodiscard]] std::size_t held_bytes() const { return line_.capacity(); }

 private:
  void end_line();

  SseListener& listener_;
  std::size_t most_bytes_;
  std::string line_;
  bool cut_ = false;
  bool skipping_ = false;  // after a gap, until a line's end
};

}  // namespace oisp
