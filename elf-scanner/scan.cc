#include "elf-scanner/scan.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "elf-scanner/boringssl.h"
#include "elf-scanner/elf-image.h"
#include "elf-scanner/openssl.h"
#include "elf-scanner/rustls.h"

namespace oisp {
namespace {

constexpr std::string_view kAmbiguous = "more than one OpenSSL in this file: not supported yet";
constexpr std::string_view kNotInCode = "OpenSSL's functions are not in this file's code";

template <std::size_t Size>
void set_text(char (&array)[Size], std::string_view text) {
  const std::size_t length = std::min(text.size(), Size - 1);
  std::copy_n(text.begin(), length, array);
  std::fill(array + length, array + Size, '\0');
}

oisp_scan_answer refuse(std::string_view reason) {
  oisp_scan_answer answer{};
  answer.outcome = OISP_SCAN_REFUSED;
  set_text(answer.reason, reason);
  return answer;
}

// A library that is recognised by a function of its own name.
struct Exported {
  std::string_view function;
  std::string_view reason;
};
constexpr std::array<Exported, 5> kExported = {{
    {"gnutls_record_send", "GnuTLS: not supported yet"},
    {"SSL_ImportFD", "NSS: not supported yet"},
    {"mbedtls_ssl_write", "mbedTLS: not supported yet"},
    {"wolfSSL_write", "wolfSSL: not supported yet"},
    {"s2n_send", "s2n: not supported yet"},
}};

// A library without symbols that is recognised by a text that its build leaves behind. Exact and
// particular: a program that merely speaks of a library must not match.
struct Marker {
  std::string_view text;
  char after_from, after_to;  // the byte behind the text lies in this range
  std::string_view reason;
};
constexpr std::array<Marker, 5> kMarkers = {{
    {"/ssl/ssl_lib.cc", '\0', '\0', "BoringSSL without symbols: its functions cannot be told apart"},
    {"ssl/ssl_lib.c", '\0', '\0', "OpenSSL linked in without symbols: not supported yet"},
    {"crypto/tls.(*Conn).Read", '\0', '\0', "Go crypto/tls: not supported yet"},
    {"next_pre_encrypt_action() != ", 'P', 'P', "rustls: not supported yet"},
    {"/rustls-0.", '1', '9', "rustls: not supported yet"},
}};

// The first occurrence of `needle` from `from` on.
std::optional<std::size_t> find_text(std::span<const std::uint8_t> text, std::string_view needle, std::size_t from) {
  if (from >= text.size()) return std::nullopt;
  const void* found = ::memmem(text.data() + from, text.size() - from, needle.data(), needle.size());
  if (found == nullptr) return std::nullopt;
  return static_cast<std::size_t>(static_cast<const std::uint8_t*>(found) - text.data());
}

bool has_marker(std::span<const std::uint8_t> text, const Marker& marker) {
  for (auto at = find_text(text, marker.text, 0); at; at = find_text(text, marker.text, *at + 1)) {
    const std::size_t behind = *at + marker.text.size();
    if (behind >= text.size()) return false;
    const char next = static_cast<char>(text[behind]);
    if (next >= marker.after_from && next <= marker.after_to) return true;
  }
  return false;
}

std::string_view find_marker(const ElfImage& image) {
  for (const Marker& marker : kMarkers) {
    bool found = false;
    image.for_each_text([&](std::span<const std::uint8_t> text) { return found = has_marker(text, marker); });
    if (found) return marker.reason;
  }
  return {};
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Length of the version in "OpenSSL 3.0.15+quic 3 Sep 2024" or "OpenSSL 1.1.1w  11 Sep 2023", as far as it
// names the family ("OpenSSL 3.0", "OpenSSL 1.1.1"); 0 where OPENSSL_VERSION_TEXT did not make the text.
std::size_t family_length(std::string_view text) {
  constexpr std::size_t kNumbers = 8;  // behind "OpenSSL "
  constexpr std::size_t kLongest = 48;
  if (text.size() < kLongest) return 0;
  const std::string_view version = text.substr(kNumbers);
  if (!is_digit(version[0]) || version[1] != '.' || !is_digit(version[2])) return 0;
  std::size_t at = version.find(' ');
  if (at > 20) return 0;
  while (version[at] == ' ' && at < 24) ++at;
  const std::size_t day = at;
  while (is_digit(version[at]) && at < day + 2) ++at;
  // The day, then the month in three letters and the year.
  if (at == day || version[at] != ' ' || version[at + 4] != ' ' || version.substr(at + 5, 2) != "20") return 0;
  const bool is_old = version[0] == '1' && version[3] == '.' && is_digit(version[4]);
  return kNumbers + (is_old ? 5 : 3);
}

// The version in the file's own texts, as a static OpenSSL has it.
std::string_view find_version(std::span<const std::uint8_t> text) {
  constexpr std::string_view kBegin = "OpenSSL ";
  constexpr std::size_t kMostTries = 10'000;
  std::size_t tries = 0;
  for (auto at = find_text(text, kBegin, 0); at && tries < kMostTries; at = find_text(text, kBegin, *at + 1)) {
    ++tries;
    const std::string_view rest(reinterpret_cast<const char*>(text.data()) + *at,
                                std::min<std::size_t>(64, text.size() - *at));
    if (const std::size_t length = family_length(rest); length != 0) return rest.substr(0, length);
  }
  return {};
}

void name_family(const ElfImage& image, oisp_scan_answer& answer) {
  // Bundled copies are called libssl-3f2a61c0.so.3 and the like. The version text is in their libcrypto.
  const std::string_view soname = image.soname();
  if (soname.starts_with("libssl") && soname.ends_with(".so.3")) return set_text(answer.family, "OpenSSL 3");
  if (soname.starts_with("libssl") && soname.ends_with(".so.1.1")) return set_text(answer.family, "OpenSSL 1.1");
  set_text(answer.family, "OpenSSL or its like");
  image.for_each_text([&](std::span<const std::uint8_t> text) {
    const std::string_view version = find_version(text);
    if (!version.empty()) {
      set_text(answer.family, version);
    } else if (find_text(text, "ssl_lib.cc", 0)) {  // OpenSSL's is C
      set_text(answer.family, "BoringSSL");
    } else {
      return false;
    }
    return true;
  });
}

bool has_role(const oisp_scan_answer& answer, std::uint32_t role) {
  const std::span sites(answer.sites, answer.site_count);
  return std::any_of(sites.begin(), sites.end(), [&](const oisp_site& site) { return site.role == role; });
}

// Probes come one after the other, in this order, to programs that run: where a request is seen, its answer must be,
// too, or it would be taken for the answer to the next one. So those that see what is sent come last.
void say_found(std::string_view reason, oisp_scan_answer& answer) {
  answer.outcome = OISP_SCAN_FOUND;
  set_text(answer.reason, reason);
  const std::span sites(answer.sites, answer.site_count);
  std::stable_partition(sites.begin(), sites.end(), [](const oisp_site& site) {
    return site.role != OISP_ROLE_WRITE && site.role != OISP_ROLE_SEAL;
  });
}

}  // namespace

oisp_scan_answer scan_elf(std::span<const std::uint8_t> file, Decoder& decoder) {
  oisp_scan_answer answer{};
  const auto image = ElfImage::open(file);
  if (!image) {
    answer.outcome = OISP_SCAN_UNSUPPORTED;
    set_text(answer.reason, "not an ELF file for x86-64 or aarch64");
    return answer;
  }
  SslFunctions functions;
  std::string_view exported;
  for (const bool dynamic : {true, false}) {
    image->for_each_function(dynamic, [&](std::string_view name, Function function) {
      if (name.starts_with("SSL_")) functions.note(name, function, dynamic);
      for (const Exported& known : kExported) {
        if (known.function == name) exported = known.reason;
      }
    });
  }
  if (functions.is_library()) {
    if (functions.is_ambiguous()) return refuse(kAmbiguous);
    find_openssl_sites(*image, decoder, functions, answer);
    if (!has_role(answer, OISP_ROLE_READ) || !has_role(answer, OISP_ROLE_WRITE)) return refuse(kNotInCode);
    say_found("the names of its functions", answer);
    name_family(*image, answer);
    return answer;
  }
  if (!exported.empty()) return refuse(exported);
  if (const BoringSsl boringssl = find_boringssl_sites(*image, decoder, answer); boringssl.is_there) {
    if (!boringssl.refusal.empty()) return refuse(boringssl.refusal);
    say_found("the errors that its code reports", answer);
    set_text(answer.family, "BoringSSL");
    return answer;
  }
  if (const Rustls rustls = find_rustls_sites(*image, decoder, answer); rustls.is_there) {
    if (!rustls.refusal.empty()) return refuse(rustls.refusal);
    say_found("the calls through its record layer's boxes", answer);
    set_text(answer.family, "rustls");
    return answer;
  }
  if (const std::string_view reason = find_marker(*image); !reason.empty()) return refuse(reason);
  answer.outcome = OISP_SCAN_NO_LIBRARY;
  return answer;
}

}  // namespace oisp
