#include "exporters/terminal/quantities.h"

#include <charconv>
#include <cstdio>
#include <ctime>

namespace oisp {
namespace {

template <typename... Arguments>
std::string formatted(const char* format, Arguments... arguments) {
  char text[64];
  (void)std::snprintf(text, sizeof text, format, arguments...);
  return text;
}

}  // namespace

std::string with_thousands(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, 1, ',');
  return digits;
}

std::optional<std::uint64_t> whole_number(std::string_view digits) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

std::string with_thousands(std::string_view digits) {
  const auto number = whole_number(digits);
  return number ? with_thousands(*number) : std::string(digits);
}

std::string short_bytes(std::uint64_t bytes) {
  if (bytes < 1000) return std::to_string(bytes) + " B";
  double amount = static_cast<double>(bytes);
  const char* unit = "";
  for (const char* larger : {"kB", "MB", "GB", "TB"}) {
    amount /= 1000;
    unit = larger;
    if (amount < 999.95) break;
  }
  return formatted("%.1f %s", amount, unit);
}

std::string short_duration(std::int64_t ms) {
  if (ms < 0) ms = 0;
  if (ms < 9'995) return formatted("%.2fs", static_cast<double>(ms) / 1000);
  if (ms < 59'950) return formatted("%.1fs", static_cast<double>(ms) / 1000);
  const long long seconds = (ms + 500) / 1000;
  if (seconds < 3600) return formatted("%lldm %02llds", seconds / 60, seconds % 60);
  return formatted("%lldh %02lldm", seconds / 3600, seconds / 60 % 60);
}

std::string clock_time(std::uint64_t ns, std::optional<long> utc_offset_seconds) {
  const auto milliseconds = static_cast<unsigned>(ns / 1'000'000 % 1000);
  std::time_t seconds = static_cast<std::time_t>(ns / 1'000'000'000);
  std::tm parts{};
  if (utc_offset_seconds) {
    seconds += *utc_offset_seconds;
    (void)::gmtime_r(&seconds, &parts);
  } else {
    (void)::localtime_r(&seconds, &parts);
  }
  return formatted("%02d:%02d:%02d.%03u", parts.tm_hour, parts.tm_min, parts.tm_sec, milliseconds);
}

std::string counted(std::uint64_t number, std::string_view noun) {
  std::string text = with_thousands(number) + ' ' + std::string(noun);
  if (number == 1) return text;
  const bool es = noun.size() > 1 && noun.substr(noun.size() - 2) == "ss";
  return text + (es ? "es" : "s");
}

}  // namespace oisp
