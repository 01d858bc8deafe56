// Server-sent events (WHATWG HTML, section 9.2.6), fed in pieces split at any byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace oisp {

struct SseEvent {
  std::string_view name;  // empty: "message"
  std::string_view data;
  std::string_view id;
  bool cut = false;  // data is longer than is kept; what is here is its beginning
};

class SseListener {
 public:
  virtual ~SseListener() = default;
  // Views are valid during the call only. `data` is followed by at least kEventPadding readable bytes.
  virtual void on_event(const SseEvent& event) = 0;
};
// What JSON parsers want to read beyond the end.
inline constexpr std::size_t kEventPadding = 64;
// Empties a buffer of events, and gives back the memory of an uncommonly large one.
void clear_event_text(std::string& text);

class SseParser {
 public:
  // `most_bytes`: of one event's data, and of one line.
  SseParser(SseListener& listener, std::size_t most_bytes) : listener_(listener), most_bytes_(most_bytes) {}

  void on_bytes(std::string_view bytes);
  // Bytes are missing here: the event that is open is dropped, and all up to the next blank line.
  void on_gap();
  // An event is open: the stream broke off in it.
  [[nodiscard]] bool in_event() const;
  [[nodiscard]] std::size_t held_bytes() const { return line_.capacity() + data_.capacity(); }

 private:
  void on_line_end();
  void take_line();
  void take_field(std::string_view field, std::string_view value);
  void dispatch();
  void add_to_line(std::string_view bytes);

  SseListener& listener_;
  std::size_t most_bytes_;
  std::string line_;
  std::string data_;
  std::string name_;
  std::string id_;
  bool has_data_ = false;
  bool cut_ = false;
  bool line_cut_ = false;
  bool after_cr_ = false;  // a line feed that follows belongs to the last line's end
  bool skipping_ = false;  // after a gap, until a blank line
  bool first_line_ = true;
};

}  // namespace oisp
