// Probe sites of a rustls without symbols, however it was inlined: its record layer keeps an encrypter and a
// decrypter, each in a box, and all plaintext passes the calls through these two. A call is one of them if
// what it hands over comes from the layer: the box, its method, and the sequence number, which is then
// counted up. An assertion's text, which every build of 0.23 keeps, says where the first is; before 0.23, the
// number that the count is compared with says it. x86-64 only.
#pragma once

#include <string_view>

#include "elf-scanner/decoder.h"
#include "elf-scanner/elf-image.h"
#include "elf-scanner/scan-answer.h"

namespace oisp {

struct Rustls {
  bool is_there = false;
  // Empty: answer.sites and site_count are filled. Else why this one cannot be probed.
  std::string_view refusal;
};

Rustls find_rustls_sites(const ElfImage& image, Decoder& decoder, oisp_scan_answer& answer);

}  // namespace oisp
