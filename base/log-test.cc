#include "base/log.h"
#include "tests/catch.h"

using oisp::printable;

TEST_CASE("printable makes a stranger's bytes harmless") {
  CHECK(printable("plain text") == "plain text");
  CHECK(printable("a\x1b[31mb") == "a\\x1b[31mb");
  CHECK(printable("na\xc3\xafve \xe2\x82\xac \xf0\x9f\x98\x80") == "na\xc3\xafve \xe2\x82\xac \xf0\x9f\x98\x80");
  CHECK(printable("\xc2\x9b"
                  "31m") == "\\xc2\\x9b31m");
  CHECK(printable("\xed\xa0\x80") == "\\xed\\xa0\\x80");
  CHECK(printable("\xff") == "\\xff");
  CHECK(printable("abcdef", 3) == "abc…");
}
