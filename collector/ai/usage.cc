#include "collector/ai/usage.h"

#include <algorithm>

namespace oisp::ai {
namespace {

// True where a row names it.
bool read_number(JsonReader& reader, std::string_view object, std::string_view key, JsonValue field,
                 std::initializer_list<UsageName> names, Usage& usage) {
  const auto* const found =
      std::ranges::find_if(names, [&](const UsageName& one) { return one.object == object && one.name == key; });
  if (found == names.end()) {
    return false;
  }
  std::string& number = usage.*found->number;
  if (!found->is_second || number.empty()) {
    reader.read_raw(field, number);
  }
  return true;
}

}  // namespace

void read_usage(JsonReader& reader, JsonValue value, std::initializer_list<UsageName> names, Usage& usage,
                const std::function<void(std::string_view, JsonValue)>& rest) {
  reader.each_field(value, [&](std::string_view key, JsonValue field) {
    if (read_number(reader, {}, key, field, names, usage)) {
      return;
    }
    if (!key.empty() && std::ranges::find(names, key, &UsageName::object) != names.end()) {
      reader.each_field(field, [&](std::string_view name, JsonValue part) {
        (void)read_number(reader, key, name, part, names, usage);
      });
    } else if (rest) {
      rest(key, field);
    }
  });
}

}  // namespace oisp::ai
