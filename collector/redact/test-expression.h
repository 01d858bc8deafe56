// For tests: secrets as one expression made of all rows finds them, without any shortcut.
#pragma once

#include <re2/re2.h>

#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "collector/redact/patterns.h"
#include "collector/redact/secret-finder.h"

namespace oisp::test {

class OneExpression {
 public:
  OneExpression() {
    std::string all;
    for (const SecretPattern& row : kSecretPatterns) all.append(all.empty() ? "" : "|").append(expression_of(row));
    RE2::Options options;
    options.set_encoding(RE2::Options::EncodingLatin1);
    options.set_max_mem(32 << 20);
    expression_ = std::make_unique<RE2>(all, options);
  }

  [[nodiscard]] std::vector<FoundSecret> find(std::string_view text) const {
    std::vector<FoundSecret> found;
    re2::StringPiece groups[std::size(kSecretPatterns) + 1];
    const re2::StringPiece all(text.data(), text.size());
    std::size_t from = 0;
    while (expression_->Match(all, from, all.size(), RE2::UNANCHORED, groups, static_cast<int>(std::size(groups)))) {
      std::size_t row = 0;
      while (groups[row + 1].data() == nullptr) ++row;
      found.push_back({.text = {groups[row + 1].data(), groups[row + 1].size()}, .row = row});
      from = static_cast<std::size_t>(groups[row + 1].data() - text.data()) + groups[row + 1].size();
    }
    return found;
  }

 private:
  std::unique_ptr<RE2> expression_;
};

inline std::vector<FoundSecret> find_all(const SecretFinder& finder, std::string_view text) {
  std::vector<FoundSecret> found;
  SecretSearch search(finder, text);
  while (const auto secret = search.next()) found.push_back(*secret);
  return found;
}

inline bool same(const std::vector<FoundSecret>& a, const std::vector<FoundSecret>& b) {
  const auto equal = [](const FoundSecret& x, const FoundSecret& y) {
    return x.text.data() == y.text.data() && x.text.size() == y.text.size() && x.row == y.row;
  };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), equal);
}

}  // namespace oisp::test
