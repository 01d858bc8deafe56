#include "collector/settings.h"

#include <charconv>

namespace oisp {
namespace {

template <typename Number>
void read_number(std::string_view text, Number& number) {
  Number value{};
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec == std::errc{} && parsed.ptr == text.data() + text.size()) number = value;
}

}  // namespace

void Settings::take(std::string_view key, std::string_view value) {
  if (key == "scope") scope = value;
  if (key == "command") command.emplace_back(value);
  if (key == "pid") read_number(value, pid);
  if (key == "content") content = value;
  if (key == "bodies") bodies = value == "1";
  if (key == "max_body") read_number(value, max_body);
  if (key == "restarted") read_number(value, restarted);
}

}  // namespace oisp
