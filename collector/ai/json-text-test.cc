#include "collector/ai/json-text.h"

#include "tests/catch.h"

namespace oisp::ai {

TEST_CASE("what is a JSON value and what is not") {
  for (const char* good : {"0", "-0.5e+3", "\"\"", "\"\\u00e4\\n\"", "true", " [ ] ", "[1,{\"a\":[null]}]", "{}",
                           "{\"a\" : 1 , \"b\":\"c\"}", "12345678901234567890123", "\"\\ud83d\""}) {
    INFO(good);
    CHECK(is_json(good));
  }
  for (const char* bad :
       {"",       "01",   "1.",    ".5",      "+1",    "1e",         "tru", "truex", "\"",  "\"\\x\"", "\"\\u12\"",
        "\"\n\"", "[1,]", "[1 2]", "{\"a\"}", "{a:1}", "{\"a\":1,}", "[}",  "1 2",   "nul", "-"}) {
    INFO(bad);
    CHECK_FALSE(is_json(bad));
  }
  CHECK(is_json(std::string(100, '[') + std::string(100, ']')));
  CHECK_FALSE(is_json(std::string(100'000, '[')));
}

TEST_CASE("a value that breaks off is closed behind what is whole") {
  const auto check = [](const char* text, const char* expected) {
    INFO(text);
    CHECK(close_json(text) == expected);
    CHECK((*expected == '\0' || is_json(expected)));
  };
  check(R"({"a":1,"b":2)", R"({"a":1})");
  check(R"({"a":1,"b":2 )", R"({"a":1,"b":2})");
  check(R"({"a":1,"b")", R"({"a":1})");
  check(R"({"a":1,"b":)", R"({"a":1})");
  check(R"({"a":1,)", R"({"a":1})");
  check(R"({"a":[1,2,{"b":"c"},{"d":tr)", R"({"a":[1,2,{"b":"c"},{}]})");
  check(R"({"model":"gp)", R"({})");
  check(R"({"content":"wor)", R"({"content":"wor"})");
  check(R"({"content":"wor\)", R"({"content":"wor"})");
  check(R"({"content":"wor\u00e)", R"({"content":"wor"})");
  check("{\"text\":\"w\xc3", R"({"text":"w"})");
  check(R"({"content":["wor)", R"({"content":[]})");
  check(R"({"a":1}{"b":)", R"({"a":1})");
  check(R"({"a":"b"])", R"({"a":"b"})");
  check("", "");
}

TEST_CASE("strings are unescaped whatever they hold") {
  const auto unescaped = [](std::string_view content) {
    std::string out;
    append_unescaped(out, content);
    return out;
  };
  CHECK(unescaped(R"(a\"\\\/\b\f\n\r\tz)") == "a\"\\/\b\f\n\r\tz");
  CHECK(unescaped(R"(\u0041\u00e4\u20ac\ud83d\ude00)") == "A\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
  CHECK(unescaped(R"(\ud83dx)") == "\xef\xbf\xbdx");
  CHECK(unescaped(R"(\ud83d\u0041)") ==
        "\xef\xbf\xbd"
        "A");
  CHECK(unescaped(R"(\ude00\u12)") ==
        "\xef\xbf\xbd\xef\xbf\xbd"
        "12");
  CHECK(unescaped("\\") == "");
  CHECK(quote_json("a\"\\\n") == R"("a\"\\\u000a")");
  CHECK(mend_utf8("a\xff\xc3\xa4\xc3") == "a\xef\xbf\xbd\xc3\xa4\xef\xbf\xbd");
}

}  // namespace oisp::ai
