#include "collector/http/json-lines.h"

#include <algorithm>

namespace oisp {

void JsonLinesParser::on_gap() {
  line_.clear();
  cut_ = false;
  skipping_ = true;
}

void JsonLinesParser::on_bytes(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, end);
    if (!skipping_) {
      const std::size_t room = most_bytes_ - std::min(line_.size(), most_bytes_);
      cut_ = cut_ || piece.size() > room;
      line_.append(piece.substr(0, room));
    }
    if (end == std::string_view::npos) {
      return;
    }
    bytes.remove_prefix(end + 1);
    end_line();
  }
}

void JsonLinesParser::end_line() {
  if (!skipping_ && line_.find_first_not_of(" \t\r") != std::string::npos) {
    line_.reserve(line_.size() + kEventPadding);
    listener_.on_event(SseEvent{.name = {}, .data = line_, .id = {}, .cut = cut_});
  }
  clear_event_text(line_);
  cut_ = skipping_ = false;
}

}  // namespace oisp
