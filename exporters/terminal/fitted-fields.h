// Fields of a line, of which the least important give way on a narrow terminal.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "exporters/terminal/styled-line.h"

namespace oisp {

class FittedFields {
 public:
  // `rank`: 0 stays whatever happens; of the others the highest gives way first. `gap`: columns before it.
  void add(std::string_view text, Style style = Style::plain, unsigned rank = 0, std::size_t gap = 2);
  // Appends what fits when `columns` are the line's width and `reserved` of them are wanted by others.
  void append_to(StyledLine& line, std::size_t columns, std::size_t reserved = 0);

 private:
  struct Field {
    std::string text;
    Style style;
    unsigned rank;
    std::size_t gap;
    std::size_t columns;
  };
  std::vector<Field> fields_;
};

}  // namespace oisp
