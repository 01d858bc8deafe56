// What secrets look like: one row per form. Of those that begin at the same byte the first counts.
#pragma once

#include <cstddef>
#include <string_view>

namespace oisp {

struct SecretPattern {
  std::string_view type;  // the word in the marker
  // What must stand before, kept, and how many bytes that may be, the most first. More than one are an escape
  // of JSON text; none may be only at the beginning of the text.
  std::string_view lead = {};
  std::string_view lead_sizes = {};
  // Then one of these: "one|another", no expressions.
  std::string_view words;
  // False: with the word the secret begins. True: the word, in any case, says that a secret follows, maybe
  // after what is `between`; it is kept.
  bool by_context = false;
  std::string_view between = {};
  std::string_view secret;  // what is replaced
  std::string_view after = {};
  bool needs_digit = false;  // words of a language have none
  // A run of [A-Za-z0-9_-] of any length may follow, and no secret all the same: then none begins with a
  // later word in that run either.
  bool any_run = false;
};

// "\\" stands for the backslash of JSON text, in which a key may follow an escaped line end.
inline constexpr SecretPattern kSecretPatterns[] = {
    {.type = "private_key",
     .words = "-----BEGIN ",
     .secret = R"([A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:[A-Za-z0-9+/=\s,:]|\\+[nrtu]|-[A-Za-z0-9])*)"
               R"((?:-----END [A-Z0-9 ]{0,40}-----)?)"},
    {.type = "anthropic_key", .words = "sk-ant-", .secret = R"([A-Za-z0-9_-]{12,})"},
    {.type = "openai_key",
     .lead = R"(^|[^A-Za-z0-9_]|\\[nrtbf]|\\u[0-9A-Fa-f]{4})",
     .lead_sizes = "\6\2\1",
     .words = "sk-",
     .secret = R"((?:proj|svcacct|admin|service|None)-[A-Za-z0-9_-]{16,}|)"
               R"((?:[A-Za-z0-9]{1,16}[_-]){0,3}[A-Za-z0-9]{20,}[A-Za-z0-9_-]*)"},
    {.type = "google_key", .words = "AIza", .secret = R"([A-Za-z0-9_-]{35})"},
    {.type = "google_token", .words = "ya29.", .secret = R"([A-Za-z0-9_-]{20,})"},
    {.type = "aws_access_key", .words = "AKIA|ASIA", .secret = R"([A-Z0-9]{16})"},
    {.type = "aws_secret",
     .words = "secretaccesskey|secretaccess_key|secret_accesskey|secret_access_key|"
              "awssessiontoken|awssession_token|aws_sessiontoken|aws_session_token",
     .by_context = true,
     .between = R"([\\"']*\s*[:=]\s*[\\"']*)",
     .secret = R"([A-Za-z0-9/+=]{40,})"},
    {.type = "github_token", .words = "ghp_|gho_|ghu_|ghs_|ghr_", .secret = R"([A-Za-z0-9]{30,})"},
    {.type = "github_token", .words = "github_pat_", .secret = R"([A-Za-z0-9_]{22,})"},
    {.type = "gitlab_token", .words = "glpat-", .secret = R"([A-Za-z0-9_-]{20,})"},
    {.type = "slack_token", .words = "xoxa-|xoxb-|xoxe-|xoxo-|xoxp-|xoxr-|xoxs-", .secret = R"([A-Za-z0-9-]{10,})"},
    {.type = "slack_token", .words = "xapp-", .secret = R"([A-Za-z0-9-]{20,})"},
    {.type = "huggingface_token", .words = "hf_", .secret = R"([A-Za-z0-9]{30,})"},
    {.type = "groq_key", .words = "gsk_", .secret = R"([A-Za-z0-9]{32,})"},
    {.type = "xai_key", .words = "xai-", .secret = R"([A-Za-z0-9]{40,})"},
    {.type = "perplexity_key", .words = "pplx-", .secret = R"([A-Za-z0-9]{40,})"},
    {.type = "replicate_token", .words = "r8_", .secret = R"([A-Za-z0-9]{36,})"},
    {.type = "stripe_key", .words = "sk_live_|rk_live_|sk_test_|rk_test_", .secret = R"([A-Za-z0-9]{16,})"},
    {.type = "stripe_key", .words = "whsec_", .secret = R"([A-Za-z0-9]{24,})"},
    {.type = "npm_token", .words = "npm_", .secret = R"([A-Za-z0-9]{36})"},
    {.type = "sendgrid_key", .words = "SG.", .secret = R"([A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,})"},
    {.type = "jwt",
     .words = "eyJ",
     .secret = R"([A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*)",
     .any_run = true},
    {.type = "bearer_token",
     .words = "bearer",
     .by_context = true,
     .between = R"(\s+)",
     .secret = R"([A-Za-z0-9._~+/=-]{16,})",
     .needs_digit = true},
    {.type = "authorization",
     .words = "authorization|x-api-key|x-goog-api-key",
     .by_context = true,
     .between = R"([\\"']*\s*[:=]\s*[\\"']*(?i:basic\s+|bearer\s+|token\s+)?)",
     .secret = R"([A-Za-z0-9._~+/=-]{8,})",
     .needs_digit = true},
    {.type = "authorization",
     .lead = "[^A-Za-z-]",
     .lead_sizes = "\1",
     .words = "api-key",
     .by_context = true,
     .between = R"([\\"']*\s*[:=]\s*[\\"']*(?i:basic\s+|bearer\s+|token\s+)?)",
     .secret = R"([A-Za-z0-9._~+/=-]{8,})",
     .needs_digit = true},
    {.type = "cookie",
     .words = "cookie",
     .by_context = true,
     .between = R"([\\"']*:\s*[\\"']*)",
     .secret = R"([A-Za-z0-9_.-]+=[^\s;\\"']+(?:;\s*[A-Za-z0-9_.-]+=[^\s;\\"']+)*)"},
    {.type = "url_password",
     .words = "://",
     .by_context = true,
     .between = R"([^\s/?#@:\\"'<>]*:)",
     .secret = R"([^\s/?#@\\"'<>\[]+)",
     .after = "@"},
    {.type = "url_key",
     .lead = "[?&;]",
     .lead_sizes = "\1",
     .words = "key=|apikey=|api_key=|api-key=|accesstoken=|access_token=|access-token=|authtoken=|auth_token=|"
              "auth-token=|refreshtoken=|refresh_token=|refresh-token=|idtoken=|id_token=|id-token=|token=|"
              "clientsecret=|client_secret=|client-secret=|secret=|password=|sig=|signature=|"
              "x-amz-signature=|x-amz-security-token=|x-goog-signature=",
     .by_context = true,
     .secret = R"([^\s&#;\\"'<>\[]{6,})"},
};

}  // namespace oisp
