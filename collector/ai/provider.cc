#include "collector/ai/provider.h"

#include <algorithm>
#include <string>

#include "data/providers.h"
#include "data/star-pattern.h"

namespace oisp {
namespace {

// DNS names are no longer.
constexpr std::size_t kLongestHost = 260;

std::string_view without_port(std::string_view host) {
  const std::size_t colon = host.rfind(':');
  const bool port = colon != std::string_view::npos && host.find(']', colon) == std::string_view::npos;
  return port ? host.substr(0, colon) : host;
}

}  // namespace

std::string_view find_provider(std::string_view host) {
  if (host.size() > kLongestHost) {
    return {};
  }
  std::string lower(host);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; });
  std::string_view name = without_port(lower);
  name = name.ends_with('.') ? name.substr(0, name.size() - 1) : name;
  for (const ProviderHost& row : provider_hosts()) {
    if (matches_pattern(row.host, lower) || matches_pattern(row.host, name)) {
      return row.provider;
    }
  }
  return {};
}

}  // namespace oisp
