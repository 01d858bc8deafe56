// Any bytes: the first one says where to split, and both ways must tell the same.
#include "collector/http/sse.h"

#include <cstring>

#include "collector/http/json-lines.h"

#include "base/bug.h"

namespace oisp {
namespace {

struct Events : SseListener {
  void on_event(const SseEvent& event) override {
    OISP_BUG_IF(event.data.size() > 64);
    text.append(event.name).append("|").append(event.data).append("|").append(event.id).append("\n");
    char padding[kEventPadding];
    std::memcpy(padding, event.data.data() + event.data.size(), sizeof padding);
  }
  std::string text;
};

}  // namespace
}  // namespace oisp

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace oisp;
  if (size == 0) {
    return 0;
  }
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  Events whole;
  SseParser whole_parser(whole, 64);
  whole_parser.on_bytes(bytes);
  Events split;
  SseParser split_parser(split, 64);
  const std::size_t at = std::min<std::size_t>(data[0], bytes.size());
  split_parser.on_bytes(bytes.substr(0, at));
  split_parser.on_bytes(bytes.substr(at));
  OISP_BUG_IF(whole.text != split.text || whole_parser.in_event() != split_parser.in_event());
  whole_parser.on_gap();
  whole_parser.on_bytes(bytes);

  Events lines;
  JsonLinesParser lines_parser(lines, 64);
  lines_parser.on_bytes(bytes);
  lines_parser.on_end();
  Events split_lines;
  JsonLinesParser split_lines_parser(split_lines, 64);
  split_lines_parser.on_bytes(bytes.substr(0, at));
  split_lines_parser.on_bytes(bytes.substr(at));
  split_lines_parser.on_end();
  OISP_BUG_IF(lines.text != split_lines.text);
  lines_parser.on_gap();
  lines_parser.on_bytes(bytes);
  return 0;
}
