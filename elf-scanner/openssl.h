// Probe sites of OpenSSL 1.1 and 3.x, and of its kin with the same exported functions (LibreSSL, and
// BoringSSL where it has symbols).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "elf-scanner/decoder.h"
#include "elf-scanner/elf-image.h"
#include "elf-scanner/scan-answer.h"

namespace oisp {

// The functions of interest. SSL_peek and SSL_peek_ex are known only to keep away from what they share:
// what was peeked at is read again.
enum class SslFunction : std::uint8_t {
  read,
  read_ex,
  write,
  write_ex,
  write_ex2,
  peek,
  peek_ex,
  do_handshake,
  connect,
  accept,
  set_fd,
  set_rfd,
  set_wfd,
  ctrl,
  set_tlsext_host_name,
  free,
  shutdown,
  make,
};
inline constexpr std::size_t kSslFunctions = 18;

class SslFunctions {
 public:
  // Takes what the file defines: dynamic symbols first (they are what other files call), static ones
  // where there are no dynamic ones.
  void note(std::string_view name, Function function, bool dynamic);

  [[nodiscard]] std::optional<Function> find(SslFunction which) const {
    return entries_[static_cast<std::size_t>(which)].function;
  }
  // All that a library has and a wrapper around one (a preloaded hook, say) has not.
  [[nodiscard]] bool is_library() const;
  // Two different static functions of one name: two libraries in one file.
  [[nodiscard]] bool is_ambiguous() const;

 private:
  struct Entry {
    std::optional<Function> function;
    bool dynamic = false;
    bool ambiguous = false;
  };
  std::array<Entry, kSslFunctions> entries_{};
};

// Fills answer.sites and site_count.
void find_openssl_sites(const ElfImage& image, Decoder& decoder, const SslFunctions& functions,
                        oisp_scan_answer& answer);

}  // namespace oisp
