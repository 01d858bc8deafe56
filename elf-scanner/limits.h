// Every bound of the scanner, and its reason. It runs once per new file, beside the watched programs,
// and what it reads was made by a stranger.
#pragma once

#include <cstddef>
#include <cstdint>

namespace oisp {

// Largest file that is mapped: the largest known agents are some 300 MB.
inline constexpr std::uint64_t kMostFileBytes = std::uint64_t{4} << 30;
// Address space beside the mapped file: program, libraries, stack, heap.
inline constexpr std::uint64_t kMostOwnBytes = std::uint64_t{64} << 20;
// CPU time, and time on the clock (a file system that never answers a page fault), before it is killed.
inline constexpr unsigned kMostCpuSeconds = 4;
inline constexpr unsigned kMostSeconds = 10;

// Program headers: real files have 5-15.
inline constexpr std::size_t kMostSegments = 64;
// Sections: Rust and -ffunction-sections objects aside, linked files have under 100.
inline constexpr std::size_t kMostSections = 4096;
// Symbols that are looked at in one table; Chromium with symbols has 3 million.
inline constexpr std::uint64_t kMostSymbols = 6'000'000;
// Relocations that are looked through for one linkage stub; a libssl has some 3,000.
inline constexpr std::uint64_t kMostRelocations = 20'000;
// Bytes searched for texts that tell which library is linked in.
inline constexpr std::uint64_t kMostTextBytes = std::uint64_t{400} << 20;

// Instructions decoded in one function; SSL_ctrl with its switch has about 300.
inline constexpr std::size_t kMostInstructions = 2048;
// Instructions from a function's entry within which a cheap place may lie.
inline constexpr std::size_t kMostBeforePoint = 12;
// Paths that wait to be followed, and steps over all paths, when arguments are followed through a
// function. A thin exported function has 2-4 paths and some 30 steps.
inline constexpr std::size_t kMostPaths = 16;
inline constexpr std::size_t kMostSteps = 400;
// Calls with the arguments in place that one function may have.
inline constexpr std::size_t kMostCalls = 8;

// Libraries without symbols, found by where they report errors. Names of one source file in a program
// (a library that is in it twice has two), and code that refers to them: 15-60 places.
inline constexpr std::size_t kMostFileNames = 8;
inline constexpr std::size_t kMostErrorSites = 128;
// Code that is looked through for calls; Chromium has 250 MB.
inline constexpr std::uint64_t kMostCodeBytes = std::uint64_t{1} << 30;
// How far before a place its function may begin, and how many beginnings are tried.
inline constexpr std::uint64_t kMostFunctionBytes = 32768;
inline constexpr std::size_t kMostStarts = 24;
// Instructions followed for one file. 0.3 µs each: a known program needs some 20,000.
inline constexpr std::size_t kMostFlowSteps = 300'000;
// In one function: instructions followed, ways at a time, states at one place that are told apart, states
// in all (a power of two), and what is kept of what it does.
inline constexpr std::size_t kMostFunctionSteps = 60'000;
inline constexpr std::size_t kMostWays = 128;
inline constexpr std::size_t kMostStatesAtPlace = 48;
inline constexpr std::size_t kMostStates = 8192;
inline constexpr std::size_t kMostPlaces = 1024;
inline constexpr std::size_t kMostErrorCalls = 64;
inline constexpr std::size_t kMostCopies = 8;
// Callers that are looked at, and those among them that go on to take what they were shown; and behind each
// such call, as far as the next one, the ways at a time and the instructions in all.
inline constexpr std::size_t kMostCallers = 256;
inline constexpr std::size_t kMostTakers = 16;
inline constexpr std::size_t kMostWaysBehind = 16;
inline constexpr std::size_t kMostStepsBehind = 400;
// Instructions decoded for calls through boxes, of which a few dozen functions of a large program may have
// one: known programs need 20,000-1,500,000.
inline constexpr std::size_t kMostBoxSteps = 3'000'000;
// Places that may prepare such a call, at a first look: 10-1,300.
inline constexpr std::size_t kMostCodePlaces = 4096;

}  // namespace oisp
