// A stranger's text on a terminal: made harmless, measured in columns, cut between characters.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace oisp {

// Columns that a character takes: 2 for East Asian wide and most emoji, 0 for combining marks.
[[nodiscard]] std::size_t columns_of(char32_t code);
// The same of well-formed UTF-8 without control characters.
[[nodiscard]] std::size_t columns_of(std::string_view text);

// As many whole characters as fit; one that was cut ends with "…".
[[nodiscard]] std::string cut_to_columns(std::string_view text, std::size_t columns);

// printable() for one line of the view: white space of any kind becomes single spaces, and characters
// that reorder their neighbours (bidirectional controls) become visible. `most_columns` bounds the
// work, not the result.
[[nodiscard]] std::string one_line(std::string_view bytes, std::size_t most_columns);

// one_line() without folding white space: for JSON and command lines, where spaces mean something.
[[nodiscard]] std::string harmless(std::string_view bytes, std::size_t most_columns);

}  // namespace oisp
