#include "exporters/terminal/text-columns.h"

#include <algorithm>
#include <cstdio>
#include <iterator>

#include "base/log.h"
#include "base/utf8.h"

namespace oisp {
namespace {

struct Range {
  char32_t first;
  char32_t last;
};

// Unicode 15: East Asian Width W and F, and emoji that are shown as pictures by default; neighbouring
// ranges are joined where nothing narrow lies between them.
constexpr Range kWide[] = {
    {0x1100, 0x115f},   {0x231a, 0x231b},   {0x2329, 0x232a},   {0x23e9, 0x23ec},   {0x23f0, 0x23f0},
    {0x23f3, 0x23f3},   {0x25fd, 0x25fe},   {0x2614, 0x2615},   {0x2648, 0x2653},   {0x267f, 0x267f},
    {0x2693, 0x2693},   {0x26a1, 0x26a1},   {0x26aa, 0x26ab},   {0x26bd, 0x26be},   {0x26c4, 0x26c5},
    {0x26ce, 0x26ce},   {0x26d4, 0x26d4},   {0x26ea, 0x26ea},   {0x26f2, 0x26f3},   {0x26f5, 0x26f5},
    {0x26fa, 0x26fa},   {0x26fd, 0x26fd},   {0x2705, 0x2705},   {0x270a, 0x270b},   {0x2728, 0x2728},
    {0x274c, 0x274c},   {0x274e, 0x274e},   {0x2753, 0x2755},   {0x2757, 0x2757},   {0x2795, 0x2797},
    {0x27b0, 0x27b0},   {0x27bf, 0x27bf},   {0x2b1b, 0x2b1c},   {0x2b50, 0x2b50},   {0x2b55, 0x2b55},
    {0x2e80, 0x303e},   {0x3041, 0x3247},   {0x3250, 0x4dbf},   {0x4e00, 0xa4c6},   {0xa960, 0xa97c},
    {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe10, 0xfe19},   {0xfe30, 0xfe6b},   {0xff01, 0xff60},
    {0xffe0, 0xffe6},   {0x16fe0, 0x18aff}, {0x18b00, 0x18d08}, {0x1aff0, 0x1b2fb}, {0x1f004, 0x1f004},
    {0x1f0cf, 0x1f0cf}, {0x1f18e, 0x1f18e}, {0x1f191, 0x1f19a}, {0x1f200, 0x1f320}, {0x1f32d, 0x1f335},
    {0x1f337, 0x1f37c}, {0x1f37e, 0x1f393}, {0x1f3a0, 0x1f3ca}, {0x1f3cf, 0x1f3d3}, {0x1f3e0, 0x1f3f0},
    {0x1f3f4, 0x1f3f4}, {0x1f3f8, 0x1f43e}, {0x1f440, 0x1f440}, {0x1f442, 0x1f4fc}, {0x1f4ff, 0x1f53d},
    {0x1f54b, 0x1f54e}, {0x1f550, 0x1f567}, {0x1f57a, 0x1f57a}, {0x1f595, 0x1f596}, {0x1f5a4, 0x1f5a4},
    {0x1f5fb, 0x1f64f}, {0x1f680, 0x1f6c5}, {0x1f6cc, 0x1f6cc}, {0x1f6d0, 0x1f6d2}, {0x1f6d5, 0x1f6df},
    {0x1f6eb, 0x1f6ec}, {0x1f6f4, 0x1f6fc}, {0x1f7e0, 0x1f7f0}, {0x1f90c, 0x1f93a}, {0x1f93c, 0x1f945},
    {0x1f947, 0x1f9ff}, {0x1fa70, 0x1faff}, {0x20000, 0x3fffd},
};

// The common combining marks and invisible characters: a mark that is missing here only makes a line
// end a column early.
constexpr Range kNone[] = {
    {0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x0610, 0x061a}, {0x064b, 0x065f},   {0x06d6, 0x06dc},
    {0x0900, 0x0902}, {0x093a, 0x093a}, {0x0941, 0x0948}, {0x0e31, 0x0e31}, {0x0e34, 0x0e3a},   {0x0e47, 0x0e4e},
    {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x200b, 0x200d}, {0x2060, 0x2064}, {0x20d0, 0x20f0},   {0x302a, 0x302d},
    {0x3099, 0x309a}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0xfeff, 0xfeff}, {0xe0001, 0xe01ef},
};

// Controls that change the order or the lines of what is around them.
constexpr Range kReordering[] = {{0x061c, 0x061c}, {0x200e, 0x200f}, {0x2028, 0x202e}, {0x2066, 0x2069}};

template <std::size_t count>
bool within(const Range (&ranges)[count], char32_t code) {
  const Range* const after = std::upper_bound(std::begin(ranges), std::end(ranges), code,
                                              [](char32_t c, const Range& range) { return c < range.first; });
  return after != std::begin(ranges) && code <= std::prev(after)->last;
}

// At most as many bytes of `bytes` as `columns` characters can have, ending between characters.
std::string_view beginning(std::string_view bytes, std::size_t columns) {
  constexpr std::size_t kMostBytes = 4;
  if (bytes.size() <= columns * kMostBytes) return bytes;
  std::size_t end = columns * kMostBytes;
  while (end > 0 && (static_cast<unsigned char>(bytes[end]) & 0xc0) == 0x80) --end;
  return bytes.substr(0, end);
}

}  // namespace

std::size_t columns_of(char32_t code) {
  if (code < 0x300) return 1;
  if (within(kNone, code)) return 0;
  return within(kWide, code) ? 2 : 1;
}

std::size_t columns_of(std::string_view text) {
  std::size_t columns = 0;
  while (!text.empty()) {
    const std::size_t length = std::max<std::size_t>(utf8_length(text), 1);
    columns += columns_of(utf8_decode(text, length));
    text.remove_prefix(length);
  }
  return columns;
}

std::string cut_to_columns(std::string_view text, std::size_t columns) {
  std::size_t used = 0;
  std::size_t end = 0;   // of what fits
  std::size_t room = 0;  // of what fits with "…" after it
  while (end < text.size()) {
    const std::string_view rest = text.substr(end);
    const std::size_t length = std::max<std::size_t>(utf8_length(rest), 1);
    used += columns_of(utf8_decode(rest, length));
    if (used > columns) return columns == 0 ? "" : std::string(text.substr(0, room)) + "…";
    end += length;
    if (used < columns) room = end;
  }
  return std::string(text);
}

std::string harmless(std::string_view bytes, std::size_t most_columns) {
  const std::string_view begin = beginning(bytes, most_columns);
  const std::string escaped = printable(begin, begin.size());
  std::string out;
  std::string_view rest = escaped;
  while (!rest.empty()) {
    const std::size_t length = std::max<std::size_t>(utf8_length(rest), 1);
    const char32_t code = utf8_decode(rest, length);
    if (within(kReordering, code)) {
      char escape[16];
      (void)std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(code));
      out += escape;
    } else {
      out.append(rest.substr(0, length));
    }
    rest.remove_prefix(length);
  }
  return out;
}

std::string one_line(std::string_view bytes, std::size_t most_columns) {
  std::string folded;
  for (const char c : bytes) {
    const bool space = c == ' ' || c == '\n' || c == '\r' || c == '\t';
    if (!space) {
      folded += c;
    } else if (!folded.empty() && folded.back() != ' ') {
      folded += ' ';
    }
    if (folded.size() > most_columns * 4 + 4) break;
  }
  if (!folded.empty() && folded.back() == ' ') folded.pop_back();
  return harmless(folded, most_columns);
}

}  // namespace oisp
