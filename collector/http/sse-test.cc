#include "collector/http/sse.h"

#include <vector>

#include "tests/catch.h"

namespace oisp {
namespace {

struct Events : SseListener {
  void on_event(const SseEvent& event) override {
    text.append(event.name).append("|").append(event.data).append(event.cut ? "|cut;" : ";");
  }
  std::string text;
};

std::string events_of(std::string_view bytes, std::size_t piece, std::size_t first, std::size_t most_bytes) {
  Events events;
  SseParser parser(events, most_bytes);
  parser.on_bytes(bytes.substr(0, first));
  bytes.remove_prefix(std::min(first, bytes.size()));
  while (!bytes.empty()) {
    parser.on_bytes(bytes.substr(0, piece));
    bytes.remove_prefix(std::min(piece, bytes.size()));
  }
  return events.text;
}

void check(std::string_view bytes, const std::string& expected, std::size_t most_bytes = 1000) {
  REQUIRE(events_of(bytes, std::string::npos, 0, most_bytes) == expected);
  CHECK(events_of(bytes, 1, 0, most_bytes) == expected);
  for (std::size_t at = 1; at < bytes.size(); ++at) {
    INFO("split at " << at);
    REQUIRE(events_of(bytes, std::string::npos, at, most_bytes) == expected);
  }
}

}  // namespace

TEST_CASE("events of the WHATWG examples") {
  check("data: YHOO\ndata: +2\ndata: 10\n\n", "|YHOO\n+2\n10;");
  check(": comment\n\ndata: first\nid: 1\n\ndata:second\nid\n\ndata:  third\n\n", "|first;|second;| third;");
  check("data\n\ndata\ndata\n\ndata:", "|;|\n;");
  check("event: add\ndata: 1\n\nevent: gone\n\ndata: 2\n\n", "add|1;|2;");
}

TEST_CASE("line ends of every kind, also mixed and split") {
  check("data: a\r\n\r\ndata: b\r\rdata: c\n\n", "|a;|b;|c;");
  check("event: x\r\ndata: a\ndata: b\r\r\n", "x|a\nb;");
}

TEST_CASE("a byte order mark at the beginning only") {
  check(
      "\xef\xbb\xbf"
      "data: a\n\n\xef\xbb\xbf"
      "data: b\n\n",
      "|a;");
}

TEST_CASE("what is not finished by a blank line is not an event") { check("data: a\n\ndata: b\n", "|a;"); }

TEST_CASE("long lines and long data are cut and say so") {
  check("data: 0123456789abcdef\n\ndata: x\n\n", "|0123|cut;|x;", 10);
  check("data: 01234567\ndata: 9abcdefg\n\n", "|01234567\n9abcdef|cut;", 16);
}

TEST_CASE("after a gap the next whole event is found") {
  Events events;
  SseParser parser(events, 100);
  parser.on_bytes("data: a\n\ndata: b");
  CHECK(parser.in_event());
  parser.on_gap();
  parser.on_bytes("rest\ndata: c\n\ndata: d\n\n");
  CHECK_FALSE(parser.in_event());
  CHECK(events.text == "|a;|d;");
}

}  // namespace oisp
