// What decoding one exchange with a model may cost. An event has to fit a frame of the export channel
// (16 MiB), whatever a stranger sent.
#pragma once

#include <cstddef>

namespace oisp::ai {

// Text of one request, or of one answer, in all fields together. A body has at most 8 MiB, and the text
// of a message of several parts is kept twice: as parts and joined.
inline constexpr std::size_t kMostText = std::size_t{10} << 20;
// Of an error's text: a proxy's page, say.
inline constexpr std::size_t kMostErrorText = std::size_t{16} << 10;
// One event of a streamed answer. Most bring a token; the last one of OpenAI Responses repeats the whole
// answer, and a picture comes in one.
inline constexpr std::size_t kMostEvent = std::size_t{4} << 20;
// Messages, parts, tools and calls together: far beyond the longest conversations, and little enough to
// fit the frame beside the text.
inline constexpr std::size_t kMostItems = 25'000;
// Of one answer. They are looked for by index.
inline constexpr std::size_t kMostToolCalls = 1'024;
inline constexpr std::size_t kMostBlocks = 4'096;
// OpenAI allows n up to 128.
inline constexpr std::size_t kMostChoices = 128;
// Deeper JSON is not passed on as JSON: readers further on have limits of their own.
inline constexpr std::size_t kDeepestJson = 128;

}  // namespace oisp::ai
