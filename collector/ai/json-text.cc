#include "collector/ai/json-text.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "base/utf8.h"
#include "collector/ai/limits.h"

namespace oisp::ai {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

int hex_digit(char c) {
  if (is_digit(c)) {
    return c - '0';
  }
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// The value of four hexadecimal digits, or -1.
std::int32_t hex4(std::string_view text) {
  if (text.size() < 4) {
    return -1;
  }
  std::int32_t code = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const int digit = hex_digit(text[i]);
    if (digit < 0) {
      return -1;
    }
    code = code * 16 + digit;
  }
  return code;
}

void append_code_point(std::string& out, std::uint32_t code) {
  const auto add = [&out](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    add(code);
  } else if (code < 0x800) {
    add(0xc0 | code >> 6);
    add(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    add(0xe0 | code >> 12);
    add(0x80 | (code >> 6 & 0x3f));
    add(0x80 | (code & 0x3f));
  } else {
    add(0xf0 | code >> 18);
    add(0x80 | (code >> 12 & 0x3f));
    add(0x80 | (code >> 6 & 0x3f));
    add(0x80 | (code & 0x3f));
  }
}

// Reads "uXXXX", and the low surrogate that belongs to it; returns what is left.
std::string_view append_unicode_escape(std::string& out, std::string_view text) {
  const std::int32_t code = hex4(text.substr(1));
  if (code < 0) {
    out.append(kReplacement);
    return text.substr(1);
  }
  text.remove_prefix(5);
  if (code < 0xd800 || code > 0xdfff) {
    append_code_point(out, static_cast<std::uint32_t>(code));
    return text;
  }
  const std::int32_t low = code < 0xdc00 && text.starts_with("\\u") ? hex4(text.substr(2)) : -1;
  if (low < 0xdc00 || low > 0xdfff) {
    out.append(kReplacement);
    return text;
  }
  append_code_point(
      out, 0x10000u + (static_cast<std::uint32_t>(code - 0xd800) << 10) + static_cast<std::uint32_t>(low - 0xdc00));
  return text.substr(6);
}

// Recursive descent; each function moves `at_` behind what it took, or returns false.
class Checker {
 public:
  explicit Checker(std::string_view text) : text_(text) {}

  bool whole() {
    if (!value(0)) {
      return false;
    }
    space();
    return at_ == text_.size();
  }

 private:
  void space() {
    while (at_ < text_.size() && is_space(text_[at_])) {
      ++at_;
    }
  }
  bool take(char c) {
    if (at_ < text_.size() && text_[at_] == c) {
      ++at_;
      return true;
    }
    return false;
  }
  bool word(std::string_view expected) {
    if (!text_.substr(at_).starts_with(expected)) {
      return false;
    }
    at_ += expected.size();
    return true;
  }
  bool digits() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_digit(text_[at_])) {
      ++at_;
    }
    return at_ > begin;
  }
  bool number() {
    (void)take('-');
    if (!take('0') && !digits()) {
      return false;
    }
    if (take('.') && !digits()) {
      return false;
    }
    if (take('e') || take('E')) {
      (void)(take('+') || take('-'));
      return digits();
    }
    return true;
  }
  bool string() {
    if (!take('"')) {
      return false;
    }
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == '"') {
        return true;
      }
      if (static_cast<unsigned char>(c) < 0x20 || (c == '\\' && !escape())) {
        return false;
      }
    }
    return false;
  }
  bool escape() {
    if (at_ == text_.size()) {
      return false;
    }
    const char c = text_[at_++];
    if (c != 'u') {
      return std::string_view("\"\\/bfnrt").find(c) != std::string_view::npos;
    }
    const bool good = hex4(text_.substr(at_)) >= 0;
    at_ += good ? 4 : 0;
    return good;
  }
  bool value(std::size_t depth) {
    space();
    if (at_ == text_.size() || depth > kDeepestJson) {
      return false;
    }
    switch (text_[at_]) {
      case '{':
        return container(depth, '}', true);
      case '[':
        return container(depth, ']', false);
      case '"':
        return string();
      case 't':
        return word("true");
      case 'f':
        return word("false");
      case 'n':
        return word("null");
      default:
        return number();
    }
  }
  bool container(std::size_t depth, char close, bool keys) {
    ++at_;
    space();
    if (take(close)) {
      return true;
    }
    do {
      if (keys) {
        space();
        if (!string()) {
          return false;
        }
        space();
        if (!take(':')) {
          return false;
        }
      }
      if (!value(depth + 1)) {
        return false;
      }
      space();
    } while (take(','));
    return take(close);
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

// How much of a string's content that breaks off is whole: no half escape, no half surrogate pair, no half
// UTF-8 sequence.
std::size_t whole_content(std::string_view content) {
  std::size_t whole = 0;
  while (whole < content.size()) {
    std::size_t length = 0;
    if (content[whole] != '\\') {
      length = std::max<std::size_t>(utf8_length(content.substr(whole)), 1);
      const bool lead = static_cast<unsigned char>(content[whole]) >= 0xc0;
      if (lead && length == 1 && content.size() - whole < 4) {
        break;
      }
    } else {
      length = whole + 1 < content.size() && content[whole + 1] == 'u' ? 6 : 2;
    }
    if (length > content.size() - whole) {
      break;
    }
    whole += length;
  }
  return whole;
}

// Follows the text to its end and knows what is open there.
class Closer {
 public:
  explicit Closer(std::string_view text) : text_(text) {}

  std::string close() {
    while (at_ < text_.size() && step()) {
    }
    std::string out(text_.substr(0, kept_));
    out.append(tail_);
    for (auto level = levels_.rbegin(); level != levels_.rend(); ++level) {
      out.push_back(level->object ? '}' : ']');
    }
    return out;
  }

 private:
  struct Level {
    bool object = false;
    bool wants_key = false;
    std::string_view key;
  };

  // Takes one token. False: the text breaks off, or stops being JSON, in it.
  bool step() {
    const char c = text_[at_];
    if (is_space(c) || c == ':') {
      ++at_;
      return true;
    }
    if (c == ',') {
      ++at_;
      if (levels_.empty()) {
        return false;
      }
      levels_.back().wants_key = levels_.back().object;
      return true;
    }
    if (c == '{' || c == '[') {
      return open(c == '{');
    }
    if (c == '}' || c == ']') {
      if (levels_.empty() || levels_.back().object != (c == '}')) {
        return false;
      }
      levels_.pop_back();
      kept_ = ++at_;
      return !levels_.empty();
    }
    return c == '"' ? string() : scalar();
  }

  bool open(bool object) {
    if (levels_.size() >= 4 * kDeepestJson) {
      return false;
    }
    levels_.push_back(Level{.object = object, .wants_key = object, .key = {}});
    kept_ = ++at_;
    return true;
  }

  bool string() {
    const std::size_t begin = at_ + 1;
    std::size_t end = begin;
    while (end < text_.size() && text_[end] != '"') {
      end += text_[end] == '\\' ? 2 : 1;
    }
    const bool is_key = !levels_.empty() && levels_.back().wants_key;
    if (end < text_.size()) {
      at_ = end + 1;
      if (is_key) {
        levels_.back().key = text_.substr(begin, end - begin);
        levels_.back().wants_key = false;
      } else {
        kept_ = at_;
      }
      return true;
    }
    constexpr std::array kWords = std::to_array<std::string_view>({"text", "content", "thinking"});
    if (!is_key && !levels_.empty() && std::find(kWords.begin(), kWords.end(), levels_.back().key) != kWords.end()) {
      kept_ = begin + whole_content(text_.substr(begin));
      tail_ = "\"";
    }
    return false;
  }

  bool scalar() {
    std::size_t end = at_;
    while (end < text_.size() && !is_space(text_[end]) &&
           std::string_view(",]}:\"[{").find(text_[end]) == std::string_view::npos) {
      ++end;
    }
    if (end == text_.size() || !is_json(text_.substr(at_, end - at_))) {
      return false;
    }
    kept_ = at_ = end;
    return true;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t kept_ = 0;  // up to here, with all levels closed, it is a value
  std::string_view tail_;
  std::vector<Level> levels_;
};

}  // namespace

bool is_json(std::string_view text) { return Checker(text).whole(); }

std::string one_line(std::string_view json) {
  std::string out(json);
  std::erase_if(out, [](char c) { return c == '\n' || c == '\r'; });
  return out;
}

void append_unescaped(std::string& out, std::string_view content) {
  while (!content.empty()) {
    const std::size_t plain = std::min(content.find('\\'), content.size());
    out.append(content.substr(0, plain));
    content.remove_prefix(plain);
    if (content.size() < 2) {
      return;
    }
    constexpr std::string_view kNames = "\"\\/bfnrt";
    constexpr std::string_view kMeant = "\"\\/\b\f\n\r\t";
    if (content[1] == 'u') {
      content = append_unicode_escape(out, content.substr(1));
      continue;
    }
    const std::size_t name = kNames.find(content[1]);
    if (name == std::string_view::npos) {
      out.append(kReplacement);
    } else {
      out.push_back(kMeant[name]);
    }
    content.remove_prefix(2);
  }
}

std::string quote_json(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (byte < 0x20) {
      out.append("\\u00");
      out.push_back(kHex[byte >> 4]);
      out.push_back(kHex[byte & 15]);
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
  return out;
}

std::string mend_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    out.append(length == 0 ? kReplacement : text.substr(0, length));
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out;
}

std::string close_json(std::string_view text) { return Closer(text).close(); }

}  // namespace oisp::ai
