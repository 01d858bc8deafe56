// JSON as text, where a parser is too much or too strict: raw values that are passed on, strings with
// lone surrogates, bodies that break off. All take a stranger's bytes.
#pragma once

#include <string>
#include <string_view>

namespace oisp::ai {

// Exactly one JSON value (RFC 8259), not deeper than kDeepestJson. UTF-8 is not checked.
bool is_json(std::string_view text);

// A JSON value without its line breaks, which can stand between tokens only: an event is one line.
std::string one_line(std::string_view json);

// A string's content, which stands between its quotes. A lone surrogate becomes U+FFFD.
void append_unescaped(std::string& out, std::string_view content);

// The text as a JSON string.
std::string quote_json(std::string_view text);

// Each byte that is not part of well-formed UTF-8 becomes U+FFFD.
std::string mend_utf8(std::string_view text);

// A whole value from the beginning of one. What is not known to be whole (a number, a name, most strings)
// is left out; a string that holds somebody's words (text, content, thinking) is closed where it breaks off.
std::string close_json(std::string_view text);

}  // namespace oisp::ai
