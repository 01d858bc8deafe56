// The two things that writing JSON needs besides punctuation.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace oisp {

// Appends `text` as a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD; control
// characters, DEL and C1 included, are escaped.
void append_json_string(std::string& out, std::string_view text);

// Nesting that a value may have, as deep as common parsers follow.
inline constexpr std::size_t kMostJsonNesting = 512;

// Whether `text` is exactly one JSON value (RFC 8259) in UTF-8, with white space around it or not.
[[nodiscard]] bool is_json_value(std::string_view text);

// Appends a JSON value (is_json_value) without change of any number or word: only line breaks between
// tokens become spaces, and DEL and C1 characters escapes, as a line demands.
void append_json_value(std::string& out, std::string_view value);

}  // namespace oisp
