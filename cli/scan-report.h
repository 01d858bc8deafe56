// What ssl-info says of one file.
#pragma once

#include <string>

#include "elf-scanner/scan-answer.h"

namespace oisp {

// What a site is for: "read", "write", … ; "?" for one that is not known.
const char* role_name(std::uint32_t role);

// Lines for a terminal; with `sites`, each probe site.
std::string scan_report(const std::string& path, const oisp_scan_answer& answer, bool sites);
// One line of JSON.
std::string scan_report_json(const std::string& path, const oisp_scan_answer& answer);

}  // namespace oisp
