#include "collector/redact/redactor.h"

#include <capnp/schema.h>
#include <sodium.h>

#include <algorithm>
#include <cstdio>
#include <map>

#include "base/bug.h"
#include "collector/redact/patterns.h"
#include "collector/redact/text-walk.h"

namespace oisp {
namespace {

// The shortest thing that any row matches.
constexpr std::size_t kShortestSecret = 6;

bool has_digit(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

Redactor::Redactor() : texts_(std::make_unique<TextWalk>(capnp::Schema::from<schema::Event>())) {
  OISP_BUG_IF(::sodium_init() < 0);
  ::randombytes_buf(key_.data(), key_.size());
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
std::string_view Redactor::type_of(const FoundSecret& secret) const {
  const SecretPattern& row = kSecretPatterns[secret.row];
  if (row.lead.empty() && !row.by_context) return row.type;
  return kSecretPatterns[finder_.row_of(secret.text).value_or(secret.row)].type;
}

std::optional<std::string> Redactor::redact_text(std::string_view text, std::vector<std::string_view>& found) const {
  if (text.size() < kShortestSecret) return {};
  std::string out;
  std::size_t copied = 0;
  SecretSearch search(finder_, text);
  while (const auto secret = search.next()) {
    if (kSecretPatterns[secret->row].needs_digit && !has_digit(secret->text)) continue;
    const std::string_view type = type_of(*secret);
    const auto begin = static_cast<std::size_t>(secret->text.data() - text.data());
    out.append(text.substr(copied, begin - copied)).append(marker(type, secret->text));
    found.push_back(type);
    copied = begin + secret->text.size();
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
