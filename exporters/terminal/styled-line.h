// One line of the view: pieces of text with a role, which become colours or not.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace oisp {

enum class Style : std::uint8_t { plain, faint, strong, sent, received, tool, good, warning, bad };

// Text that is added must be harmless (text-columns.h) already.
class StyledLine {
 public:
  StyledLine& add(std::string_view text, Style style = Style::plain);
  // Two spaces, where something stands before, and the text.
  StyledLine& field(std::string_view text, Style style = Style::plain);
  StyledLine& append(const StyledLine& other);
  // Spaces up to a column; at least `least`.
  StyledLine& pad_to(std::size_t column, std::size_t least = 0);

  [[nodiscard]] std::size_t columns() const { return columns_; }
  [[nodiscard]] bool empty() const { return pieces_.empty(); }
  // Takes away what lies beyond `columns`; "…" stands where something was.
  StyledLine& cut(std::size_t columns);
  // With its line feed.
  [[nodiscard]] std::string render(bool colour) const;

 private:
  struct Piece {
    std::string text;
    Style style;
  };
  std::vector<Piece> pieces_;
  std::size_t columns_ = 0;
};

}  // namespace oisp
