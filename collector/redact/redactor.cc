#include "collector/redact/redactor.h"

#include <capnp/schema.h>
#include <re2/re2.h>
#include <sodium.h>

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <map>

#include "base/bug.h"
#include "collector/redact/patterns.h"
#include "collector/redact/text-walk.h"

namespace oisp {
namespace {

constexpr std::size_t kPatterns = std::size(kSecretPatterns);
// The shortest thing that any row matches.
constexpr std::size_t kShortestSecret = 8;

std::string combined_pattern() {
  std::string all;
  for (const SecretPattern& row : kSecretPatterns) {
    if (!all.empty()) all += '|';
    all.append(row.before).append("(").append(row.secret).append(")");
    if (row.type == "url_password") all += '@';
  }
  return all;
}

bool has_digit(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

Redactor::Redactor() : texts_(std::make_unique<TextWalk>(capnp::Schema::from<schema::Event>())) {
  OISP_BUG_IF(::sodium_init() < 0);
  ::randombytes_buf(key_.data(), key_.size());
  RE2::Options options;
  options.set_encoding(RE2::Options::EncodingLatin1);  // bytes: not every text is UTF-8
  options.set_log_errors(false);
  options.set_max_mem(32 << 20);
  pattern_ = std::make_unique<RE2>(combined_pattern(), options);
  OISP_BUG_IF(!pattern_->ok() || pattern_->NumberOfCapturingGroups() != static_cast<int>(kPatterns));
}

Redactor::~Redactor() = default;

std::string Redactor::marker(std::string_view type, std::string_view secret) const {
  std::array<unsigned char, crypto_generichash_BYTES_MIN> hash{};
  (void)::crypto_generichash(hash.data(), hash.size(), reinterpret_cast<const unsigned char*>(secret.data()),
                             secret.size(), key_.data(), key_.size());
  char digits[9];
  (void)std::snprintf(digits, sizeof digits, "%02x%02x%02x%02x", hash[0], hash[1], hash[2], hash[3]);
  return std::string("[secret:").append(type).append(":").append(digits).append("]");
}

// A key of known form keeps its name where its context was seen first ("Bearer sk-ant-…").
std::string_view Redactor::type_of(std::string_view secret, std::size_t kind) const {
  if (kSecretPatterns[kind].before.empty()) return kSecretPatterns[kind].type;
  std::array<re2::StringPiece, kPatterns + 1> groups;
  const re2::StringPiece all(secret.data(), secret.size());
  if (pattern_->Match(all, 0, all.size(), RE2::ANCHOR_BOTH, groups.data(), static_cast<int>(groups.size()))) {
    kind = 0;
    while (groups[kind + 1].data() == nullptr) ++kind;
  }
  return kSecretPatterns[kind].type;
}

std::optional<std::string> Redactor::redact_text(std::string_view text, std::vector<std::string_view>& found) const {
  if (text.size() < kShortestSecret) return {};
  const re2::StringPiece all(text.data(), text.size());
  std::array<re2::StringPiece, kPatterns + 1> groups;
  std::string out;
  std::size_t copied = 0;
  std::size_t from = 0;
  while (pattern_->Match(all, from, all.size(), RE2::UNANCHORED, groups.data(), static_cast<int>(groups.size()))) {
    std::size_t kind = 0;
    while (groups[kind + 1].data() == nullptr) ++kind;
    const std::string_view secret(groups[kind + 1].data(), groups[kind + 1].size());
    const auto begin = static_cast<std::size_t>(secret.data() - text.data());
    from = begin + secret.size();
    if (kSecretPatterns[kind].needs_digit && !has_digit(secret)) continue;
    const std::string_view type = type_of(secret, kind);
    out.append(text.substr(copied, begin - copied)).append(marker(type, secret));
    found.push_back(type);
    copied = from;
  }
  if (copied == 0) return {};
  out.append(text.substr(copied));
  return out;
}

void Redactor::redact_event(schema::Event::Builder event) {
  std::vector<std::string_view> found;
  texts_->walk(capnp::toAny(event), [&](std::string_view text) { return redact_text(text, found); });
  if (found.empty()) return;
  std::map<std::string_view, std::uint32_t> counts;
  for (const std::string_view type : found) ++counts[type];
  auto secrets = event.getExt().getOispSensor().initSecrets(static_cast<unsigned>(counts.size()));
  unsigned i = 0;
  for (const auto& [type, count] : counts) {
    secrets[i].setType(std::string(type));
    secrets[i++].setCount(count);
  }
}

}  // namespace oisp
