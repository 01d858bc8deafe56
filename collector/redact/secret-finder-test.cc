#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "collector/redact/test-expression.h"
#include "tests/catch.h"

using namespace oisp;
using oisp::test::find_all;
using oisp::test::OneExpression;
using oisp::test::same;

namespace {

// Texts put together of what the rows are made of, so that matches, near misses and overlaps abound. The
// same ones in every run.
class TextMaker {
 public:
  TextMaker() {
    for (const SecretPattern& row : kSecretPatterns) {
      std::string_view words = row.words;
      while (!words.empty()) {
        const std::size_t end = std::min(words.find('|'), words.size());
        words_.emplace_back(words.substr(0, end));
        words.remove_prefix(std::min(end + 1, words.size()));
      }
    }
  }

  std::string make(std::size_t pieces) {
    std::string text;
    for (std::size_t i = 0; i < pieces; ++i) text += piece();
    return text;
  }

 private:
  std::size_t below(std::size_t bound) { return random_() % bound; }

  std::string piece() {
    switch (below(10)) {
      case 0:
      case 1:
      case 2:
        return word();
      case 3:
        return joint();
      case 4: {  // the beginning of something, or its end
        const std::string one = word();
        const std::size_t at = below(one.size());
        return below(2) == 0 ? one.substr(0, at) : one.substr(at);
      }
      case 5:
        return std::string(1, static_cast<char>(below(256)));
      case 6:
        return word() + run();
      case 7:
        return word() + run() + joint() + run();
      default:
        return run();
    }
  }

  std::string joint() { return std::string(kJoints[below(std::size(kJoints))]); }

  std::string word() {
    std::string text = words_[below(words_.size())];
    if (below(3) == 0) {
      for (char& c : text) {
        if (c >= 'a' && c <= 'z' && below(2) == 0) c = static_cast<char>(c - 'a' + 'A');
      }
    }
    return text;
  }

  // Lengths at which rows begin to match.
  std::string run() {
    static constexpr std::string_view kAlphabets[] = {"aB3xZ9q0", "ABC123", "ab-_", "abc", "aZ09+/=", "a.b", "Ey-sk_"};
    static constexpr std::size_t kLengths[] = {1, 6, 8, 10, 12, 16, 20, 22, 24, 30, 35, 36, 40};
    const std::string_view alphabet = kAlphabets[below(std::size(kAlphabets))];
    std::string text(kLengths[below(std::size(kLengths))] + below(3) - 1, ' ');
    for (char& c : text) c = alphabet[below(alphabet.size())];
    return text;
  }

  static constexpr std::string_view kJoints[] = {"=",
                                                 ":",
                                                 ": ",
                                                 "\": \"",
                                                 "\\\": \\\"",
                                                 " ",
                                                 "\n",
                                                 "\\n",
                                                 "\\u000a",
                                                 "\\",
                                                 "@",
                                                 ".eyJ",
                                                 ".",
                                                 "?",
                                                 "&",
                                                 ";",
                                                 "; ",
                                                 "a=b",
                                                 "Basic ",
                                                 "token ",
                                                 "PRIVATE KEY-----",
                                                 "-----",
                                                 "RSA ",
                                                 "proj-",
                                                 "-",
                                                 "_",
                                                 "/",
                                                 "u:p@",
                                                 "http",
                                                 "Bearer ",
                                                 "-----END PRIVATE KEY-----"};

  std::vector<std::string> words_;
  std::mt19937_64 random_{20261};  // NOLINT: the same texts each time
};

}  // namespace

TEST_CASE("a search by words finds what one expression of all rows finds") {
  const SecretFinder finder;
  const OneExpression expression;
  TextMaker maker;
  std::set<std::string_view> all_types;
  for (const SecretPattern& row : kSecretPatterns) all_types.insert(row.type);
  std::set<std::string_view> types;
  std::size_t found_in_all = 0;
  // Which texts come, depends on the compiler's order of evaluation: so until each type has come.
  for (int i = 0; i < 20'000 || (types != all_types && i < 400'000); ++i) {
    const std::string text = maker.make(1 + static_cast<std::size_t>(i) % 24);
    const auto found = find_all(finder, text);
    if (!same(found, expression.find(text))) {
      CAPTURE(text);
      REQUIRE(same(found, expression.find(text)));
    }
    found_in_all += found.size();
    for (const FoundSecret& secret : found) types.insert(kSecretPatterns[secret.row].type);
  }
  CHECK(found_in_all > 5'000);
  CHECK(types == all_types);
}

TEST_CASE("it does so in long texts, and where nearly all looks like a secret") {
  const SecretFinder finder;
  const OneExpression expression;
  TextMaker maker;
  std::vector<std::string> texts = {maker.make(20'000)};
  for (const std::string_view part :
       {"sk-", "eyJ", "eyJa.", "a://", "://x:", "bearer ", "x-api-key: ", "?key=", "y", "\\u000ask-", "-----BEGIN ",
        "cookie:", "SG.aaaaaaaaaaaaaaaaaa", "secret", "://a:b@"}) {
    std::string text;
    while (text.size() < 20'000) text += part;
    texts.push_back(std::move(text));
  }
  for (const std::string& text : texts) {
    CAPTURE(text.substr(0, 40));
    CHECK(same(find_all(finder, text), expression.find(text)));
  }
}

TEST_CASE("a run of beginnings of tokens is looked at once") {
  const SecretFinder finder;
  std::string text;
  while (text.size() < 1 << 20) text += "eyJAKIA0123456789ABCDEF";
  CHECK(find_all(finder, text).size() == text.size() / 23);  // in time that grows with the square, this took minutes
}
