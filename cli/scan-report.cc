#include "cli/scan-report.h"

#include <array>
#include <cstdio>
#include <span>

#include "base/log.h"
#include "base/text-array.h"
#include "ipc-schema/json-text.h"

namespace oisp {
namespace {

// By OISP_ROLE_*.
constexpr std::array<const char*, 12> kRoles = {
    "?",    "read",     "write", "handshake",         "server name",       "descriptor",
    "free", "shutdown", "new",   "record to encrypt", "record to decrypt", "decrypted record"};
// By OISP_SCAN_*.
constexpr std::array<const char*, 5> kOutcomes = {"?", "found", "none", "refused", "unsupported"};

std::span<const oisp_site> sites_of(const oisp_scan_answer& answer) { return {answer.sites, answer.site_count}; }

// "2 read, 2 write, 1 free": in the order of the roles.
std::string counts_of(const oisp_scan_answer& answer) {
  std::array<unsigned, kRoles.size()> counts{};
  for (const oisp_site& site : sites_of(answer)) ++counts[site.role < counts.size() ? site.role : 0];
  std::string text;
  for (std::size_t role = 0; role < counts.size(); ++role) {
    if (counts[role] == 0) continue;
    text += (text.empty() ? "" : ", ") + std::to_string(counts[role]) + " " + kRoles[role];
  }
  return text;
}

std::string verdict_of(const oisp_scan_answer& answer) {
  switch (answer.outcome) {
    case OISP_SCAN_FOUND:
      return printable(view_text(answer.family)) + ", found by " + printable(view_text(answer.reason)) +
             "; probed at: " + counts_of(answer);
    case OISP_SCAN_NO_LIBRARY:
      return "no TLS library in this file";
    case OISP_SCAN_REFUSED:
      return "not read: " + printable(view_text(answer.reason));
    default:
      return printable(view_text(answer.reason));
  }
}

void append_member(std::string& json, const char* key, std::string_view text) {
  if (text.empty()) return;
  json += std::string(",\"") + key + "\":";
  append_json_string(json, text);
}

}  // namespace

const char* role_name(std::uint32_t role) { return kRoles[role < kRoles.size() ? role : 0]; }

std::string scan_report(const std::string& path, const oisp_scan_answer& answer, bool sites) {
  std::string text = printable(path, 4096) + "\n  " + verdict_of(answer) + "\n";
  for (const oisp_site& site : sites_of(answer)) {
    char line[80];
    (void)std::snprintf(line, sizeof line, "    %#12llx  %s%s\n", static_cast<unsigned long long>(site.offset),
                        role_name(site.role), (site.flags & OISP_SITE_HAS_RETURN) != 0 ? ", and its return" : "");
    if (sites) text += line;
  }
  return text;
}

std::string scan_report_json(const std::string& path, const oisp_scan_answer& answer) {
  std::string json = "{\"path\":";
  append_json_string(json, path);
  append_member(json, "outcome", kOutcomes[answer.outcome < kOutcomes.size() ? answer.outcome : 0]);
  append_member(json, "family", view_text(answer.family));
  append_member(json, answer.outcome == OISP_SCAN_FOUND ? "found_by" : "reason", view_text(answer.reason));
  json += ",\"sites\":[";
  for (const oisp_site& site : sites_of(answer)) {
    if (&site != answer.sites) json += ',';
    json += "{\"role\":\"" + std::string(role_name(site.role)) + "\",\"offset\":" + std::to_string(site.offset) + "}";
  }
  return json + "]}\n";
}

}  // namespace oisp
