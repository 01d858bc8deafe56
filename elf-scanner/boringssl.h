// Probe sites of a BoringSSL without symbols, however it was linked and optimised (Bun and what is made
// with it, Chromium and its kin): by the errors that its ssl_lib.cc reports. Library and reason numbers
// are public and never renumbered, the file's name stays in the program, and in which order the file's
// functions report what tells them apart. No bytes of code, and no table of versions.
#pragma once

#include <optional>
#include <string_view>

#include "elf-scanner/decoder.h"
#include "elf-scanner/elf-image.h"
#include "elf-scanner/scan-answer.h"

namespace oisp {

struct BoringSsl {
  bool is_there = false;
  // Empty: answer.sites and site_count are filled. Else why this one cannot be probed.
  std::string_view refusal;
};

BoringSsl find_boringssl_sites(const ElfImage& image, Decoder& decoder, oisp_scan_answer& answer);

}  // namespace oisp
