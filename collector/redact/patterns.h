// What secrets look like: one row per kind. The rows become one expression, matched in linear time.
#pragma once

#include <string_view>

namespace oisp {

struct SecretPattern {
  std::string_view type;     // the word in the marker
  std::string_view before;   // what must stand before it, kept as it is
  std::string_view secret;   // what is replaced
  bool needs_digit = false;  // words of a language have none
};

// Keys of known form need no context; others are known by what stands before them. "\\" stands for the
// backslash of JSON text, in which a key may follow an escaped line end.
inline constexpr SecretPattern kSecretPatterns[] = {
    {"private_key", "",
     R"(-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:[A-Za-z0-9+/=\s,:]|\\+[nrtu]|-[A-Za-z0-9])*)"
     R"((?:-----END [A-Z0-9 ]{0,40}-----)?)"},
    {"anthropic_key", "", R"(sk-ant-[A-Za-z0-9_-]{12,})"},
    {"openai_key", R"((?:^|[^A-Za-z0-9_]|\\[nrtbf]|\\u[0-9A-Fa-f]{4}))",
     R"(sk-(?:proj|svcacct|admin|service|None)-[A-Za-z0-9_-]{16,}|sk-(?:[A-Za-z0-9]{1,16}[_-]){0,3}[A-Za-z0-9]{20,}[A-Za-z0-9_-]*)"},
    {"google_key", "", R"(AIza[A-Za-z0-9_-]{35})"},
    {"google_token", "", R"(ya29\.[A-Za-z0-9_-]{20,})"},
    {"aws_access_key", "", R"((?:AKIA|ASIA)[A-Z0-9]{16})"},
    {"aws_secret", R"((?i:secret_?access_?key|aws_?session_?token)[\\"']*\s*[:=]\s*[\\"']*)", R"([A-Za-z0-9/+=]{40,})"},
    {"github_token", "", R"(gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{22,})"},
    {"gitlab_token", "", R"(glpat-[A-Za-z0-9_-]{20,})"},
    {"slack_token", "", R"(xox[abeoprs]-[A-Za-z0-9-]{10,}|xapp-[A-Za-z0-9-]{20,})"},
    {"huggingface_token", "", R"(hf_[A-Za-z0-9]{30,})"},
    {"groq_key", "", R"(gsk_[A-Za-z0-9]{32,})"},
    {"xai_key", "", R"(xai-[A-Za-z0-9]{40,})"},
    {"perplexity_key", "", R"(pplx-[A-Za-z0-9]{40,})"},
    {"replicate_token", "", R"(r8_[A-Za-z0-9]{36,})"},
    {"stripe_key", "", R"([sr]k_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9]{24,})"},
    {"npm_token", "", R"(npm_[A-Za-z0-9]{36})"},
    {"sendgrid_key", "", R"(SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,})"},
    {"jwt", "", R"(eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*)"},
    {"bearer_token", R"((?i:bearer)\s+)", R"([A-Za-z0-9._~+/=-]{16,})", true},
    {"authorization",
     R"((?i:authorization|x-api-key|x-goog-api-key|[^A-Za-z-]api-key)[\\"']*\s*[:=]\s*[\\"']*(?i:basic\s+|bearer\s+|token\s+)?)",
     R"([A-Za-z0-9._~+/=-]{8,})", true},
    {"cookie", R"((?i:cookie)[\\"']*:\s*[\\"']*)",
     R"([A-Za-z0-9_.-]+=[^\s;\\"']+(?:;\s*[A-Za-z0-9_.-]+=[^\s;\\"']+)*)"},
    {"url_password", R"([A-Za-z][A-Za-z0-9+.-]*://[^\s/?#@:\\"'<>]*:)", R"([^\s/?#@\\"'<>\[]+)"},
    {"url_key",
     R"([?&;](?i:key|api[_-]?key|access[_-]?token|auth[_-]?token|refresh[_-]?token|id[_-]?token|token|client[_-]?secret|secret)"
     R"(|password|sig|signature|x-amz-signature|x-amz-security-token|x-goog-signature)=)",
     R"([^\s&#;\\"'<>\[]{6,})"},
};

}  // namespace oisp
