// Numbers as people read them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace oisp {

std::string with_thousands(std::uint64_t number);  // 81,220
// The same of digits that a provider sent; anything else as it is.
std::string with_thousands(std::string_view digits);
std::string short_bytes(std::uint64_t bytes);  // 611 B, 41.2 kB, 1.0 MB
std::string short_duration(std::int64_t ms);   // 0.61s, 41.2s, 3m 05s
// HH:MM:SS.mmm; east of Greenwich by `utc_offset_seconds`, or local time.
std::string clock_time(std::uint64_t ns, std::optional<long> utc_offset_seconds);
// "1 request", "2 requests"
std::string counted(std::uint64_t number, std::string_view noun);
// A whole number that a provider sent.
std::optional<std::uint64_t> whole_number(std::string_view digits);

}  // namespace oisp
