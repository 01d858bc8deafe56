// Finds secrets in a text, by the rows of patterns.h: the one that begins leftmost, then the next behind it.
//
// Most text has none, so expressions are not run over it. Every row begins with a word, and every word has
// a pair of bytes that is rare in what people and programs write. The text is searched for those pairs, and
// only where a whole word stands is the row's expression asked whether it matches there. The result is that
// of one expression made of all rows.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace re2 {
class RE2;
}

namespace oisp {

struct SecretPattern;

// A row as one expression; its group is the secret.
std::string expression_of(const SecretPattern& row);

struct FoundSecret {
  std::string_view text;
  std::size_t row = 0;  // of kSecretPatterns
};

class SecretFinder {
 public:
  SecretFinder();
  ~SecretFinder();

  // The row whose secret this text is, as a whole.
  [[nodiscard]] std::optional<std::size_t> row_of(std::string_view secret) const;

 private:
  friend class SecretSearch;

  struct Word {
    std::string text;
    std::size_t row = 0;
    std::size_t pair_at = 0;
  };

  void add_word(Word word);
  [[nodiscard]] const std::vector<Word>& words_at(const char* pair) const;
  // Where the next pair stands, from `at` on; the text's size where there is none.
  [[nodiscard]] std::size_t next_pair(std::string_view text, std::size_t at) const;

  struct Row {
    std::unique_ptr<re2::RE2> expression;
    std::bitset<256> short_leads;  // of one byte
  };

  std::vector<Row> rows_;
  std::vector<std::uint8_t> kind_of_pair_;  // by the pair as an integer; 0: no word's
  std::vector<std::vector<Word>> words_;    // by kind
  std::size_t reach_ = 0;                   // nothing begins further before the pair of its word
};

// One search, from the beginning of a text to its end.
class SecretSearch {
 public:
  SecretSearch(const SecretFinder& finder, std::string_view text) : finder_(finder), text_(text) {}

  std::optional<FoundSecret> next();

 private:
  struct Match {
    std::size_t begin;
    std::optional<FoundSecret> found;
  };

  // Makes a match that begins with this word the best one, if it is.
  void try_word(const SecretFinder::Word& word, std::size_t word_begin, Match& best);
  bool try_match(std::size_t row, std::size_t begin, Match& best);

  const SecretFinder& finder_;
  std::string_view text_;
  std::size_t from_ = 0;
  std::size_t run_end_ = 0;  // of the run in which no row with any_run has a secret
};

}  // namespace oisp
