// A target under a real helper, and what has to hold of all that was recorded of it.
#pragma once

#include <cstdlib>
#include <map>
#include <set>

#include "tests/catch.h"
#include "tests/kernel/rig.h"

namespace oisp::test {

inline std::vector<std::pair<std::string, std::string>> config(const char* buffer_size = nullptr) {
  std::vector<std::pair<std::string, std::string>> settings;
  if (std::getenv("OISP_TEST_PERF") != nullptr) settings.emplace_back("uprobes", "perf");
  if (buffer_size != nullptr) settings.emplace_back("buffer_size", buffer_size);
  return settings;
}

// A target, watched and probed.
struct Watched {
  explicit Watched(const std::vector<std::string>& scenario, const char* buffer_size = nullptr) : target(scenario) {
    rig.start_helper(target.tgid(), config(buffer_size));
    rig.grant(4 << 20);
    REQUIRE(rig.serve_until([&] { return rig.is_ready() || !rig.failure().empty(); }));
    REQUIRE(rig.failure().empty());
    REQUIRE(rig.serve_until([&] { return is_probed(); }));
  }

  bool is_probed() const {
    for (const FileReportSeen& report : rig.reports()) {
      if (report.outcome == 0 && report.file != 0) return true;
    }
    return false;
  }

  void run() {
    target.go();
    REQUIRE(rig.serve_until([&] { return target.has_ended(); }));
    drain();
  }

  void drain() {
    rig.order_drain();
    REQUIRE(rig.serve_until([&] { return rig.is_drained(); }));
    REQUIRE(target.finish() == 0);
  }

  Target target;
  Rig rig;
};

// No number of any family and CPU is missing, and the kernel counted no loss.
inline void check_complete(const Rig& rig) {
  std::map<std::pair<unsigned, unsigned>, std::set<std::uint64_t>> seen;
  for (const Record& record : rig.records()) {
    REQUIRE(seen[{record.header().family, record.header().cpu}].insert(record.header().sequence).second);
  }
  for (const auto& [who, numbers] : seen) {
    CHECK(*numbers.begin() == 0);
    CHECK(*numbers.rbegin() == numbers.size() - 1);
  }
  const oisp_counters& counters = rig.counters();
  for (unsigned family = 0; family < OISP_FAMILY_COUNT; ++family) CHECK(counters.dropped[family] == 0);
  CHECK(counters.faults == 0);
  CHECK(counters.no_state == 0);
  CHECK(counters.unknown_calls == 0);
  CHECK(counters.submitted[OISP_FAMILY_TLS] == rig.of_kind(OISP_KIND_TLS_DATA).size() +
                                                   rig.of_kind(OISP_KIND_TLS_SESSION).size() +
                                                   rig.of_kind(OISP_KIND_TLS_SOCKET).size());
}

}  // namespace oisp::test
