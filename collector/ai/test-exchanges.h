// For tests of dialects: exchanges, and what is told of them however their bytes are cut.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "collector/ai/ai-transcript.h"
#include "tests/catch.h"

namespace oisp::test {

inline constexpr const char* kJson = "Content-Type: application/json\r\n";
inline constexpr const char* kStream = "Content-Type: text/event-stream; charset=utf-8\r\n";
inline constexpr const char* kLines = "Content-Type: application/x-ndjson\r\n";

// The lines of the events of one exchange: request, results in it, response, calls in it. However the
// bytes are cut, they are the same.
inline std::string check(const AiCase& one) {
  const std::string whole = ai_transcript(one, std::string::npos, 0);
  CHECK(ai_transcript(one, 1, 0) == whole);
  for (std::size_t at = 1; at < one.response.size(); ++at) {
    if (const std::string split = ai_transcript(one, std::string::npos, at); split != whole) {
      INFO("split at " << at);
      REQUIRE(split == whole);
    }
  }
  return whole;
}

inline AiCase exchange(const std::string& host, const std::string& path, const std::string& body,
                       const std::string& response_headers, const std::string& response_body) {
  return {.request = post(host, path, "", body), .response = answer(200, response_headers, response_body)};
}

// Server-sent events: each text is the data of one.
inline std::string events(const std::vector<std::string>& all) {
  std::string stream;
  for (const std::string& data : all) {
    stream += "data: " + data + "\n\n";
  }
  return stream;
}
inline std::string lines(const std::vector<std::string>& all) {
  std::string stream;
  for (const std::string& line : all) {
    stream += line + "\n";
  }
  return stream;
}

// A body of 7 MiB: `repeated` ends with a comma, or with a letter that may be missing once.
inline std::string filled(std::string_view begin, std::string_view repeated, std::string_view end) {
  std::string body(begin);
  while (body.size() < std::size_t{7} << 20) {
    body += repeated;
  }
  body.pop_back();
  return body.append(end);
}
// What is told of an exchange that is larger than is kept. Its events fit a frame.
inline void check_bounds(const AiCase& one, bool cut = true) {
  const std::string text = ai_transcript(one, std::string::npos, 0);
  CHECK(largest_event() < std::size_t{15} << 20);
  CHECK((text.find("!body_too_large") != std::string::npos) == cut);
}

inline bool has(const std::string& text, std::string_view part) {
  const bool found = text.find(part) != std::string::npos;
  if (!found) {
    UNSCOPED_INFO("missing " << part << "\nin " << text);
  }
  return found;
}
inline bool lacks(const std::string& text, std::string_view part) { return text.find(part) == std::string::npos; }

}  // namespace oisp::test
