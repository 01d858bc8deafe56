// Scans the files whose names come on standard input, as the elf-scanner does, but all in one process and
// without its confinement. A line of JSON for each, without what could need quoting.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <string>

#include "base/owned-fd.h"
#include "elf-scanner/scan.h"

namespace {

using namespace oisp;

constexpr const char* kOutcomes[] = {"", "hit", "no library", "refused", "unsupported"};
constexpr const char* kRoles[] = {"",     "read",     "write", "handshake", "name", "fd",
                                  "free", "shutdown", "new",   "seal",      "open", "opened"};

// Private memory of this process: what the scan needs beside the mapped file.
unsigned long private_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("RssAnon:")) return std::stoul(line.substr(8));
  }
  return 0;
}

void scan_file(const std::string& path, Decoder& decoder) {
  const OwnedFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0 || status.st_size <= 0) return;
  const auto size = static_cast<std::size_t>(status.st_size);
  void* mapped = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.get(), 0);
  if (mapped == MAP_FAILED) return;
  const auto begin = std::chrono::steady_clock::now();
  const oisp_scan_answer answer = scan_elf({static_cast<const std::uint8_t*>(mapped), size}, decoder);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  (void)::munmap(mapped, size);
  std::printf(R"({"bytes": %zu, "seconds": %.3f, "private_kib": %lu, "outcome": "%s", "family": "%s", "reason": "%s",)",
              size, took.count(), private_kib(), kOutcomes[answer.outcome], answer.family, answer.reason);
  std::printf(R"( "roles": [)");
  for (std::uint32_t i = 0; i < answer.site_count; ++i) {
    std::printf("%s\"%s\"", i == 0 ? "" : ", ", kRoles[answer.sites[i].role]);
  }
  std::printf("]}\t%s\n", path.c_str());
}

}  // namespace

int main() {
  auto decoder = oisp::Decoder::make();
  if (!decoder) return 1;
  for (std::string path; std::getline(std::cin, path);) scan_file(path, *decoder);
}
