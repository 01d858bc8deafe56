#include "exporters/terminal/styled-line.h"

#include <algorithm>

#include "exporters/terminal/text-columns.h"

namespace oisp {
namespace {

// The sixteen colours that every terminal lets its user choose.
std::string_view code_of(Style style) {
  switch (style) {
    case Style::plain:
      return "";
    case Style::faint:
      return "\x1b[2m";
    case Style::strong:
      return "\x1b[1m";
    case Style::sent:
      return "\x1b[36m";
    case Style::received:
    case Style::good:
      return "\x1b[32m";
    case Style::tool:
      return "\x1b[35m";
    case Style::warning:
      return "\x1b[33m";
    case Style::bad:
      return "\x1b[31m";
  }
  return "";
}

}  // namespace

StyledLine& StyledLine::add(std::string_view text, Style style) {
  if (text.empty()) return *this;
  pieces_.push_back({.text = std::string(text), .style = style});
  columns_ += columns_of(text);
  return *this;
}

StyledLine& StyledLine::field(std::string_view text, Style style) {
  if (text.empty()) return *this;
  if (columns_ > 0) add("  ");
  return add(text, style);
}

StyledLine& StyledLine::pad_to(std::size_t column, std::size_t least) {
  return add(std::string(std::max(column > columns_ ? column - columns_ : 0, least), ' '));
}

StyledLine& StyledLine::append(const StyledLine& other) {
  for (const Piece& piece : other.pieces_) add(piece.text, piece.style);
  return *this;
}

StyledLine& StyledLine::cut(std::size_t columns) {
  if (columns_ <= columns) return *this;
  std::size_t used = 0;
  for (std::size_t i = 0; i < pieces_.size(); ++i) {
    const std::size_t wanted = columns_of(pieces_[i].text);
    if (used + wanted < columns) {
      used += wanted;
      continue;
    }
    // The padding makes a piece that just fits too long as well: others follow it.
    pieces_[i].text = cut_to_columns(pieces_[i].text + "  ", columns - used);
    pieces_.resize(i + 1);
    columns_ = used + columns_of(pieces_[i].text);
    break;
  }
  return *this;
}

std::string StyledLine::render(bool colour) const {
  std::string out;
  for (const Piece& piece : pieces_) {
    const std::string_view code = colour ? code_of(piece.style) : "";
    out.append(code).append(piece.text).append(code.empty() ? "" : "\x1b[0m");
  }
  out.erase(out.find_last_not_of(' ') + 1);
  out += '\n';
  return out;
}

}  // namespace oisp
