#include "collector/http/sse.h"

#include <algorithm>

namespace oisp {

void clear_event_text(std::string& text) {
  constexpr std::size_t kKept = std::size_t{64} << 10;
  if (text.capacity() > kKept) {
    std::string().swap(text);  // an assignment would keep the memory
  } else {
    text.clear();
  }
}

bool SseParser::in_event() const { return has_data_ || !line_.empty() || skipping_; }

void SseParser::on_gap() {
  line_.clear();
  data_.clear();
  name_.clear();
  has_data_ = cut_ = line_cut_ = after_cr_ = first_line_ = false;
  skipping_ = true;
}

void SseParser::on_bytes(std::string_view bytes) {
  while (!bytes.empty()) {
    if (after_cr_ && bytes.front() == '\n') {
      bytes.remove_prefix(1);
      after_cr_ = false;
      continue;
    }
    after_cr_ = false;
    const std::size_t end = bytes.find_first_of("\r\n");
    add_to_line(bytes.substr(0, end));
    if (end == std::string_view::npos) {
      return;
    }
    after_cr_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
    on_line_end();
  }
}

void SseParser::add_to_line(std::string_view bytes) {
  const std::size_t room = most_bytes_ - std::min(line_.size(), most_bytes_);
  line_cut_ = line_cut_ || bytes.size() > room;
  line_.append(bytes.substr(0, room));
}

void SseParser::on_line_end() {
  if (line_.empty() && !line_cut_) {
    if (skipping_) {
      skipping_ = false;
    } else {
      dispatch();
    }
  } else if (!skipping_) {
    take_line();
  }
  clear_event_text(line_);
  line_cut_ = false;
  first_line_ = false;
}

void SseParser::take_line() {
  std::string_view line = line_;
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (first_line_ && line.starts_with(kByteOrderMark)) {
    line.remove_prefix(kByteOrderMark.size());
  }
  const std::size_t colon = line.find(':');
  if (colon == 0) {
    return;  // a comment
  }
  std::string_view value = colon == std::string_view::npos ? std::string_view{} : line.substr(colon + 1);
  if (value.starts_with(' ')) {
    value.remove_prefix(1);
  }
  take_field(line.substr(0, colon), value);
}

void SseParser::take_field(std::string_view field, std::string_view value) {
  if (field == "data") {
    if (has_data_) {
      data_.push_back('\n');
    }
    has_data_ = true;
    const std::size_t room = most_bytes_ - std::min(data_.size(), most_bytes_);
    cut_ = cut_ || line_cut_ || value.size() > room;
    data_.append(value.substr(0, room));
  } else if (field == "event") {
    name_ = value;
  } else if (field == "id" && value.find('\0') == std::string_view::npos) {
    id_ = value;
  }
}

void SseParser::dispatch() {
  if (has_data_) {
    data_.reserve(data_.size() + kEventPadding);
    listener_.on_event(SseEvent{.name = name_, .data = data_, .id = id_, .cut = cut_});
  }
  clear_event_text(data_);
  name_.clear();
  has_data_ = cut_ = false;
}

}  // namespace oisp
