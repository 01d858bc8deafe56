#include "collector/redact/secret-finder.h"

#include <re2/re2.h>

#include <algorithm>
#include <cstring>
#include <iterator>

#include "base/bug.h"
#include "collector/redact/patterns.h"

namespace oisp {
namespace {

constexpr std::size_t kRows = std::size(kSecretPatterns);
constexpr std::size_t kPairs = std::size_t{1} << 16;

template <typename Visit>
void each_word(std::string_view words, Visit&& visit) {
  while (true) {
    const std::size_t end = words.find('|');
    visit(words.substr(0, end));
    if (end == std::string_view::npos) return;
    words.remove_prefix(end + 1);
  }
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }
char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - ('a' - 'A')) : c; }

bool is_in_run(char c) {
  return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

std::uint16_t pair_at(const char* text) {
  std::uint16_t pair = 0;
  std::memcpy(&pair, text, sizeof pair);
  return pair;
}
std::uint16_t pair_of(char first, char second) {
  const char text[] = {first, second};
  return pair_at(text);
}

// How often a byte stands in prose, code and JSON, roughly: capitals and most signs are rare.
std::size_t frequency(char c) {
  constexpr std::string_view kRareToFrequent = "?&;zqjx987654=:3/2k10v.-_bygwpfumcdhlsr\",nioate ";
  const std::size_t at = kRareToFrequent.find(c);
  return at == std::string_view::npos ? 1 : at + 2;
}

std::size_t rarest_pair(std::string_view word) {
  OISP_BUG_IF(word.size() < 2);
  std::size_t best = 0;
  std::size_t least = SIZE_MAX;
  for (std::size_t at = 0; at + 1 < word.size(); ++at) {
    const std::size_t here = frequency(word[at]) * frequency(word[at + 1]);
    if (here >= least) continue;
    least = here;
    best = at;
  }
  return best;
}

bool stands_at(std::string_view text, std::size_t begin, std::string_view word, bool any_case) {
  if (word.size() > text.size() - begin) return false;
  const std::string_view there = text.substr(begin, word.size());
  return any_case ? std::ranges::equal(there, word, {}, lower) : there == word;
}

}  // namespace

std::string expression_of(const SecretPattern& row) {
  std::string words;
  each_word(row.words, [&](std::string_view word) {
    if (!words.empty()) words += '|';
    words += RE2::QuoteMeta(re2::StringPiece(word.data(), word.size()));
  });
  std::string all = row.lead.empty() ? "" : "(?:" + std::string(row.lead) + ")";
  if (!row.by_context) return all.append("((?:" + words + ")(?:").append(row.secret).append("))");
  return all.append("(?i:" + words + ")")
      .append(row.between)
      .append("(")
      .append(row.secret)
      .append(")")
      .append(row.after);
}

SecretFinder::SecretFinder() : kind_of_pair_(kPairs), words_(1) {
  RE2::Options options;
  options.set_encoding(RE2::Options::EncodingLatin1);  // bytes: not every text is UTF-8
  options.set_log_errors(false);
  for (std::size_t i = 0; i < kRows; ++i) {
    const SecretPattern& pattern = kSecretPatterns[i];
    Row& row = rows_.emplace_back();
    row.expression = std::make_unique<RE2>(expression_of(pattern), options);
    OISP_BUG_IF(!row.expression->ok() || row.expression->NumberOfCapturingGroups() != 1);
    const RE2 lead(std::string(pattern.lead), options);
    for (unsigned byte = 0; byte < row.short_leads.size(); ++byte) {
      row.short_leads[byte] = RE2::FullMatch(std::string(1, static_cast<char>(byte)), lead);
    }
    each_word(pattern.words, [&](std::string_view word) {
      add_word({.text = std::string(word), .row = i, .pair_at = rarest_pair(word)});
    });
  }
}

SecretFinder::~SecretFinder() = default;

void SecretFinder::add_word(Word word) {
  const SecretPattern& row = kSecretPatterns[word.row];
  const char first = word.text[word.pair_at];
  const char second = word.text[word.pair_at + 1];
  OISP_BUG_IF(row.by_context && !std::ranges::equal(word.text, word.text, {}, lower));
  const std::size_t most_lead = row.lead_sizes.empty() ? 0 : static_cast<std::size_t>(row.lead_sizes.front());
  reach_ = std::max(reach_, most_lead + word.pair_at);
  // Words whose pairs differ in nothing but case are of one kind.
  std::uint8_t kind = 0;
  for (const char a : {lower(first), upper(first)}) {
    for (const char b : {lower(second), upper(second)}) kind = std::max(kind, kind_of_pair_[pair_of(a, b)]);
  }
  if (kind == 0) {
    OISP_BUG_IF(words_.size() > UINT8_MAX);
    kind = static_cast<std::uint8_t>(words_.size());
    words_.emplace_back();
  }
  kind_of_pair_[pair_of(first, second)] = kind;
  if (row.by_context) {
    kind_of_pair_[pair_of(first, upper(second))] = kind;
    kind_of_pair_[pair_of(upper(first), second)] = kind;
    kind_of_pair_[pair_of(upper(first), upper(second))] = kind;
  }
  words_[kind].push_back(std::move(word));
}

std::optional<std::size_t> SecretFinder::row_of(std::string_view secret) const {
  const re2::StringPiece all(secret.data(), secret.size());
  const auto found = std::ranges::find_if(rows_, [&](const Row& row) { return RE2::FullMatch(all, *row.expression); });
  if (found == rows_.end()) return {};
  return static_cast<std::size_t>(found - rows_.begin());
}

const std::vector<SecretFinder::Word>& SecretFinder::words_at(const char* pair) const {
  return words_[kind_of_pair_[pair_at(pair)]];
}

std::size_t SecretFinder::next_pair(std::string_view text, std::size_t at) const {
  const std::uint8_t* const kinds = kind_of_pair_.data();
  const char* const bytes = text.data();
  const auto kind = [&](std::size_t here) { return kinds[pair_at(bytes + here)]; };
  while (at + 4 < text.size() && (kind(at) | kind(at + 1) | kind(at + 2) | kind(at + 3)) == 0) at += 4;
  while (at + 1 < text.size() && kind(at) == 0) ++at;
  return at + 1 < text.size() ? at : text.size();
}

// Pairs come in order, and what begins with their words nearly so: behind a match the search goes on as far
// as another may begin before it.
std::optional<FoundSecret> SecretSearch::next() {
  Match best{.begin = text_.size(), .found = {}};
  for (std::size_t at = from_;; ++at) {
    at = finder_.next_pair(text_, at);
    if (at >= text_.size() || at > best.begin + finder_.reach_) break;
    for (const SecretFinder::Word& word : finder_.words_at(text_.data() + at)) {
      if (at >= from_ + word.pair_at) try_word(word, at - word.pair_at, best);
    }
  }
  if (best.found) from_ = static_cast<std::size_t>(best.found->text.data() - text_.data()) + best.found->text.size();
  return best.found;
}

void SecretSearch::try_word(const SecretFinder::Word& word, std::size_t word_begin, Match& best) {
  const SecretPattern& row = kSecretPatterns[word.row];
  if (!stands_at(text_, word_begin, word.text, row.by_context)) return;
  if (row.any_run && word_begin < run_end_) return;
  const auto& short_leads = finder_.rows_[word.row].short_leads;
  for (const char size : row.lead_sizes) {
    const auto lead = static_cast<std::size_t>(size);
    if (word_begin < from_ + lead) continue;
    const std::size_t begin = word_begin - lead;
    const bool may_begin = lead > 1 ? text_[begin] == '\\' : short_leads[static_cast<unsigned char>(text_[begin])];
    if (may_begin && try_match(word.row, begin, best)) return;
  }
  if (!row.lead_sizes.empty() && word_begin > 0) return;
  if (try_match(word.row, word_begin, best) || !row.any_run) return;
  const std::string_view rest = text_.substr(word_begin);
  run_end_ = word_begin + static_cast<std::size_t>(std::ranges::find_if_not(rest, is_in_run) - rest.begin());
}

// False: nothing begins there.
bool SecretSearch::try_match(std::size_t row, std::size_t begin, Match& best) {
  if (begin > best.begin || (begin == best.begin && best.found && best.found->row < row)) return true;
  const re2::StringPiece all(text_.data(), text_.size());
  re2::StringPiece groups[2];  // the match, and the secret in it
  if (!finder_.rows_[row].expression->Match(all, begin, all.size(), RE2::ANCHOR_START, groups, 2)) return false;
  best = {.begin = begin, .found = FoundSecret{.text = {groups[1].data(), groups[1].size()}, .row = row}};
  return true;
}

}  // namespace oisp
