#include "exporters/terminal/fitted-fields.h"

#include <algorithm>

#include "exporters/terminal/text-columns.h"

namespace oisp {

void FittedFields::add(std::string_view text, Style style, unsigned rank, std::size_t gap) {
  if (text.empty()) return;
  fields_.push_back(
      {.text = std::string(text), .style = style, .rank = rank, .gap = gap, .columns = columns_of(text) + gap});
}

void FittedFields::append_to(StyledLine& line, std::size_t columns, std::size_t reserved) {
  std::size_t wanted = line.columns() + reserved;
  for (const Field& field : fields_) wanted += field.columns;
  while (wanted > columns) {
    const auto least = std::max_element(fields_.begin(), fields_.end(),
                                        [](const Field& a, const Field& b) { return a.rank < b.rank; });
    if (least == fields_.end() || least->rank == 0) break;
    wanted -= least->columns;
    (void)fields_.erase(least);
  }
  for (const Field& field : fields_) line.add(std::string(field.gap, ' ')).add(field.text, field.style);
}

}  // namespace oisp
