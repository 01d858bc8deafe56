#include "collector/correlate/probed-files.h"

#include "collector/limits.h"
#include "tests/catch.h"

using namespace oisp;

namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kLater = limits::kKeepUnusedNs + kSecond;

FileReport probed(std::uint64_t inode) {
  return {.key = {.device = 1, .inode = inode}, .outcome = FileOutcome::probed};
}

void map(ProcessTable& processes, std::uint32_t tgid, std::uint64_t inode) {
  oisp_process_mapped record{};
  record.header.tgid = tgid;
  record.header.start_ns = tgid;
  record.file = {.device = 1, .inode = inode};
  (void)processes.on_mapped({.fixed = &record, .name = {}});
}

void exit(ProcessTable& processes, std::uint32_t tgid, std::uint64_t now_ns) {
  oisp_process_exit record{};
  record.header.tgid = tgid;
  record.header.start_ns = tgid;
  record.header.entry_ns = now_ns;
  (void)processes.on_exit({.fixed = &record});
  processes.forget_exited(now_ns + limits::kKeepExitedNs + 1);
}

}  // namespace

TEST_CASE("a file is let go of some time after its last user is gone, once") {
  ProcessTable processes;
  ProbedFiles files;
  files.on_file(probed(10), kSecond);
  files.on_file(probed(11), kSecond);
  files.on_file({.key = {.device = 1, .inode = 12}, .outcome = FileOutcome::no_tls_library}, kSecond);
  map(processes, 1, 10);
  map(processes, 2, 10);
  CHECK(files.take_unused(processes, 2 * kSecond).empty());
  auto unused = files.take_unused(processes, kSecond + kLater);
  REQUIRE(unused.size() == 1);
  CHECK(unused[0].inode == 11);
  exit(processes, 1, kSecond);
  CHECK(files.take_unused(processes, 100 * kSecond).empty());
  exit(processes, 2, 100 * kSecond);
  CHECK(files.take_unused(processes, 101 * kSecond).empty());
  unused = files.take_unused(processes, 100 * kSecond + kLater);
  REQUIRE(unused.size() == 1);
  CHECK(unused[0].inode == 10);
  CHECK(files.take_unused(processes, 100 * kSecond + 2 * kLater).empty());
  // It comes back, and is probed again.
  files.on_file(probed(10), 200 * kSecond);
  CHECK(files.take_unused(processes, 200 * kSecond + kLater).size() == 1);
}

TEST_CASE("nothing is let go of where a process maps more than is known, and not all at once") {
  ProcessTable processes;
  ProbedFiles files;
  for (std::uint64_t inode = 1; inode <= 2 * limits::kMostReleases; ++inode) files.on_file(probed(inode), kSecond);
  for (std::uint64_t inode = 1000; inode < 1000 + limits::kMostMappedFiles; ++inode) map(processes, 1, inode);
  CHECK(files.take_unused(processes, kSecond + kLater).empty());
  exit(processes, 1, kSecond);
  CHECK(files.take_unused(processes, kSecond + kLater).size() == limits::kMostReleases);
  CHECK(files.take_unused(processes, kSecond + kLater).size() == limits::kMostReleases);
  CHECK(files.take_unused(processes, kSecond + kLater).empty());
}
