#include "ipc-schema/json-text.h"

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

#include "base/utf8.h"

namespace oisp {
namespace {

// Characters that stand for themselves in a JSON string, one byte each.
constexpr bool is_plain(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x20 && byte < 0x7f && c != '"' && c != '\\';
}

// How many of the first bytes are plain. Eight are looked at together: one that is not plain gets its highest
// bit set. So may the one above it, by a borrow, which only such a byte causes.
std::size_t count_plain(std::string_view text) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kHighest = kOnes << 7;
  const auto has_zero = [](std::uint64_t word) { return (word - kOnes) & ~word; };
  std::size_t count = 0;
  for (std::uint64_t word = 0; count + sizeof word <= text.size(); count += sizeof word) {
    std::memcpy(&word, text.data() + count, sizeof word);
    const std::uint64_t is_control = (word - kOnes * 0x20) & ~word;
    const std::uint64_t is_special = word | is_control | has_zero(word ^ (kOnes * '"')) |
                                     has_zero(word ^ (kOnes * '\\')) | has_zero(word ^ (kOnes * 0x7f));
    if ((is_special & kHighest) != 0) break;
  }
  while (count < text.size() && is_plain(text[count])) ++count;
  return count;
}

void append_escape(std::string& out, unsigned code) {
  char escape[8];
  (void)std::snprintf(escape, sizeof escape, "\\u%04x", code);
  out += escape;
}

// The start of `text` that needs care: a control character, a quote, a backslash or a sequence of
// more than one byte. Returns how many bytes it took.
std::size_t append_special(std::string& out, std::string_view text) {
  const std::size_t length = utf8_length(text);
  if (length == 0) {
    out += "\xef\xbf\xbd";  // U+FFFD
    return 1;
  }
  const char32_t code = utf8_decode(text, length);
  switch (code) {
    case U'"':
      out += "\\\"";
      break;
    case U'\\':
      out += "\\\\";
      break;
    case U'\n':
      out += "\\n";
      break;
    case U'\r':
      out += "\\r";
      break;
    case U'\t':
      out += "\\t";
      break;
    default:
      if (code < 0x20 || (code >= 0x7f && code < 0xa0)) {
        append_escape(out, static_cast<unsigned>(code));
      } else {
        out.append(text.substr(0, length));
      }
  }
  return length;
}

// A reader of one JSON value that keeps nothing but its place.
class Checker {
 public:
  explicit Checker(std::string_view text) : rest_(text) {}

  bool check() {
    skip_space();
    if (!value()) return false;
    while (!open_.empty()) {
      if (!step()) return false;
    }
    skip_space();
    return rest_.empty();
  }

 private:
  // After a value inside an object or array: its end, or a comma and the next value.
  bool step() {
    skip_space();
    if (take(open_.back() == '{' ? '}' : ']')) {
      open_.pop_back();
      return true;
    }
    if (!take(',')) return false;
    skip_space();
    return open_.back() == '{' ? member() : value();
  }

  bool member() {
    if (!string()) return false;
    skip_space();
    if (!take(':')) return false;
    skip_space();
    return value();
  }

  // A scalar, or the beginning of an object or array up to and with its first value.
  bool value() {
    while (!rest_.empty()) {
      const char first = rest_.front();
      if (first == '"') return string();
      if (first == 't') return word("true");
      if (first == 'f') return word("false");
      if (first == 'n') return word("null");
      if (first != '{' && first != '[') return number();
      if (open_.size() == kMostJsonNesting) return false;
      rest_.remove_prefix(1);
      skip_space();
      if (take(first == '{' ? '}' : ']')) return true;
      open_.push_back(first);
      if (first == '{') {
        if (!string()) return false;
        skip_space();
        if (!take(':')) return false;
        skip_space();
      }
    }
    return false;
  }

  bool string() {
    if (!take('"')) return false;
    while (!rest_.empty()) {
      const char first = rest_.front();
      if (is_plain(first)) {
        rest_.remove_prefix(count_plain(rest_));
      } else if (first == '"') {
        rest_.remove_prefix(1);
        return true;
      } else if (first == '\\') {
        if (!escape()) return false;
      } else {
        const std::size_t length = utf8_length(rest_);
        if (length == 0 || static_cast<unsigned char>(first) < 0x20) return false;
        rest_.remove_prefix(length);
      }
    }
    return false;
  }

  bool escape() {
    if (rest_.size() < 2) return false;
    const char kind = rest_[1];
    rest_.remove_prefix(2);
    if (kind != 'u') return std::string_view("\"\\/bfnrt").find(kind) != std::string_view::npos;
    if (rest_.size() < 4) return false;
    for (std::size_t i = 0; i < 4; ++i) {
      if (std::string_view("0123456789abcdefABCDEF").find(rest_[i]) == std::string_view::npos) return false;
    }
    rest_.remove_prefix(4);
    return true;
  }

  bool number() {
    (void)take('-');
    if (!take('0') && !digits()) return false;
    if (take('.') && !digits()) return false;
    if (take('e') || take('E')) {
      if (!take('+')) (void)take('-');
      return digits();
    }
    return true;
  }

  bool digits() {
    std::size_t count = 0;
    while (count < rest_.size() && rest_[count] >= '0' && rest_[count] <= '9') ++count;
    rest_.remove_prefix(count);
    return count > 0;
  }

  bool word(std::string_view expected) {
    if (rest_.substr(0, expected.size()) != expected) return false;
    rest_.remove_prefix(expected.size());
    return true;
  }

  bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  void skip_space() {
    while (!rest_.empty() && std::string_view(" \t\r\n").find(rest_.front()) != std::string_view::npos) {
      rest_.remove_prefix(1);
    }
  }

  std::string_view rest_;
  std::vector<char> open_;  // the brackets that are open
};

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out.reserve(out.size() + text.size() + 2);
  out += '"';
  while (!text.empty()) {
    const std::size_t plain = count_plain(text);
    out.append(text.substr(0, plain));
    text.remove_prefix(plain);
    if (!text.empty()) text.remove_prefix(append_special(out, text));
  }
  out += '"';
}

bool is_json_value(std::string_view text) { return Checker(text).check(); }

void append_json_value(std::string& out, std::string_view value) {
  // Outside strings a value has no byte beyond ASCII, inside them no bare control character.
  for (std::size_t i = 0; i < value.size(); ++i) {
    const auto byte = static_cast<unsigned char>(value[i]);
    if (byte < 0x20) {
      out += ' ';
    } else if (byte == 0x7f) {
      append_escape(out, byte);
    } else if (byte == 0xc2 && static_cast<unsigned char>(value[i + 1]) < 0xa0) {
      append_escape(out, static_cast<unsigned char>(value[++i]));
    } else {
      out += value[i];
    }
  }
}

}  // namespace oisp
