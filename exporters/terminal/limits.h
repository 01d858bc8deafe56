// The bounds of the live view, with their reasons.
#pragma once

#include <cstddef>

namespace oisp {

// Where the terminal's width is not known (a file, a pipe): wide enough to lose little, short enough
// to read.
inline constexpr std::size_t kDefaultColumns = 160;
inline constexpr std::size_t kFewestColumns = 40;
inline constexpr std::size_t kMostColumns = 1000;
// Below the one, lines leave out the provider and milliseconds; below the other, process numbers too.
inline constexpr std::size_t kComfortableColumns = 100;
inline constexpr std::size_t kNarrowColumns = 60;
// Lines kept for the end while CMD has the terminal: some megabytes.
inline constexpr std::size_t kMostHeldLines = 20'000;
// How far `show` looks ahead for the exit of a process it has shown.
inline constexpr std::size_t kLookaheadLines = 2'000;
// Requests whose answer is still to come, and processes whose end is.
inline constexpr std::size_t kMostOpenRequests = 4096;
inline constexpr std::size_t kMostProcesses = 8192;
// Rows of the summary: pairs of provider and model, tools, files and blind spots.
inline constexpr std::size_t kMostModels = 64;
inline constexpr std::size_t kMostTools = 256;
inline constexpr std::size_t kMostBlindSpots = 256;
inline constexpr std::size_t kShownBlindSpots = 12;
inline constexpr std::size_t kShownTools = 6;
inline constexpr std::size_t kShownFiles = 3;
// Deeper processes are indented no further.
inline constexpr std::size_t kMostIndentLevels = 6;
// A successful run of a program is worth a line of its own from here on.
inline constexpr long kLongRunMs = 10'000;

}  // namespace oisp
