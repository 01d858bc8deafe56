// What is said before a recording, of hosts that are not this one.
#include <cerrno>
#include <cstring>

#include "bpf/records.h"
#include "cli/diagnosis.h"
#include "cli/exit-status.h"
#include "cli/preflight.h"
#include "tests/catch.h"

using namespace oisp;

namespace {

constexpr HookBits kAllHooks = (1u << OISP_HOOK_COUNT) - 1;

Surroundings good_host() {
  Surroundings host;
  host.kernel = "6.12.1";
  host.machine = "x86_64";
  host.hooks = kAllHooks;
  host.uprobe_multi = host.perf_uprobes = true;
  host.initial_pid_namespace = true;
  host.seccomp = true;
  host.sudo = SudoAnswer::not_needed;
  host.most_files = 4096;
  host.most_namespaces = 1000;
  return host;
}

// The one point that is not good; there is exactly one.
Point only_complaint(const Surroundings& host) {
  std::vector<Point> complaints;
  for (Point& point : judge(host)) {
    if (point.verdict != Verdict::good) complaints.push_back(std::move(point));
  }
  REQUIRE(complaints.size() == 1);
  CHECK_FALSE(complaints[0].advice.empty());
  return complaints[0];
}

}  // namespace

TEST_CASE("a host that has all is ready") {
  const auto points = judge(good_host());
  CHECK(exit_status_of(points) == kOk);
  CHECK(preflight_report(points).ends_with("\nREADY\n"));
  CHECK(preflight_report(points).find("NO ") == std::string::npos);
  CHECK(preflight_report_json(points).starts_with(R"({"ready":true,"exit_status":0,"points":[{"name":"kernel")"));
}

TEST_CASE("what a host lacks decides the exit status, as record's") {
  struct Lack {
    void (*take)(Surroundings& host);
    const char* name;
    int exit_status;
  };
  constexpr Lack kLacks[] = {
      {[](Surroundings& host) { host.machine = "aarch64"; }, "kernel", kUnsupported},
      {[](Surroundings& host) { host.lacking_helpers = {"BPF_FUNC_loop"}; }, "kernel", kUnsupported},
      {[](Surroundings& host) { host.types_error = ENOENT; }, "kernel types", kUnsupported},
      {[](Surroundings& host) { host.uprobe_multi = host.perf_uprobes = false; }, "probes", kUnsupported},
      {[](Surroundings& host) { host.hooks &= ~1u; }, "tracepoints", kUnsupported},
      {[](Surroundings& host) { host.initial_pid_namespace = false; }, "pid namespace", kUnsupported},
      {[](Surroundings& host) { host.lockdown = "confidentiality"; }, "lockdown", kNoPermission},
      {[](Surroundings& host) { host.seccomp = false; }, "confinement", kUnsupported},
      {[](Surroundings& host) { host.missing_capabilities = {"cap_bpf"}; }, "rights", kNoPermission},
      {[](Surroundings& host) { host.sudo = SudoAnswer::not_there; }, "rights", kNoPermission},
      {[](Surroundings& host) { host.sudo = SudoAnswer::cannot_raise; }, "rights", kNoPermission},
      {[](Surroundings& host) { host.sudo = SudoAnswer::cannot_ask; }, "rights", kNoPermission},
      {[](Surroundings& host) { host.missing_parts = {"oisp-collector"}; }, "installation", kFailure},
      {[](Surroundings& host) { host.most_namespaces = 0; }, "limits", kFailure},
  };
  for (const Lack& lack : kLacks) {
    Surroundings host = good_host();
    lack.take(host);
    const Point point = only_complaint(host);
    CHECK(point.name == lack.name);
    CHECK(point.verdict == Verdict::refused);
    CHECK(exit_status_of(judge(host)) == lack.exit_status);
    CHECK(preflight_report(judge(host)).ends_with("\nNOT READY\n"));
  }
}

TEST_CASE("what works with less says what it costs") {
  Surroundings host = good_host();
  host.uprobe_multi = false;
  CHECK(only_complaint(host).advice.find("CAP_SYS_ADMIN") != std::string::npos);
  CHECK(exit_status_of(judge(host)) == kOk);

  host = good_host();
  host.hooks = kAllHooks >> (OISP_HOOK_COUNT - OISP_HOOKS_REQUIRED);
  const Point hooks = only_complaint(host);
  CHECK(hooks.verdict == Verdict::less);
  constexpr const char* kHooks[OISP_HOOK_COUNT] = OISP_HOOKS;
  for (unsigned i = OISP_HOOKS_REQUIRED; i < OISP_HOOK_COUNT; ++i) {
    CHECK(hooks.advice.find(kHooks[i]) != std::string::npos);
  }
  CHECK(hooks.advice.find("its events are missing") == std::string::npos);  // each has its own cost

  host = good_host();
  host.sudo = SudoAnswer::asks;
  CHECK(only_complaint(host).verdict == Verdict::less);
  host = good_host();
  host.under_seccomp = true;
  CHECK(only_complaint(host).verdict == Verdict::less);
  host = good_host();
  host.most_files = 256;
  CHECK(only_complaint(host).verdict == Verdict::less);
}

TEST_CASE("of several lacks the kernel's is said first: nothing else helps without it") {
  Surroundings host = good_host();
  host.missing_parts = {"oisp-collector"};
  host.sudo = SudoAnswer::not_there;
  CHECK(exit_status_of(judge(host)) == kNoPermission);
  host.types_error = ENOENT;
  CHECK(exit_status_of(judge(host)) == kUnsupported);
}

TEST_CASE("a process is seen where its library is read, and the host lets it") {
  const auto file = [](const char* path, std::uint32_t outcome, const char* reason) {
    ScannedFile scanned{.path = path};
    scanned.answer.outcome = outcome;
    std::strcpy(scanned.answer.reason, reason);
    return scanned;
  };
  const auto points = judge(good_host());
  const ScannedFile program = file("/usr/bin/x", OISP_SCAN_NO_LIBRARY, "");
  const ScannedFile found = file("/lib/libssl.so.3", OISP_SCAN_FOUND, "");
  const ScannedFile refused = file("/usr/bin/y", OISP_SCAN_REFUSED, "rustls: not supported yet");

  const Diagnosis seen = diagnose_subject({.name = "process 7", .running = true, .files = {program, found}}, points);
  CHECK(seen.exit_status == kOk);
  CHECK(seen.text.find("\nSEEN") != std::string::npos);
  CHECK(seen.text.find("joined late") != std::string::npos);

  const Diagnosis maybe = diagnose_subject({.name = "x", .files = {program}, .of_system = {found}}, points);
  CHECK(maybe.exit_status == kOk);
  CHECK(maybe.text.find("/lib/libssl.so.3") != std::string::npos);

  const Diagnosis other = diagnose_subject({.name = "y", .files = {refused}, .of_system = {found}}, points);
  CHECK(other.exit_status == kFailure);
  CHECK(other.text.find("rustls: not supported yet") != std::string::npos);
  CHECK(other.text.find("\nNOT SEEN") != std::string::npos);
  CHECK(other.text.find("libssl") == std::string::npos);
  CHECK(diagnose_subject({.name = "process 7", .running = true, .files = {program}}, points).exit_status == kFailure);

  Surroundings host = good_host();
  host.sudo = SudoAnswer::not_there;
  const Diagnosis nowhere = diagnose_subject({.name = "x", .files = {found}}, judge(host));
  CHECK(nowhere.exit_status == kNoPermission);
  CHECK(nowhere.text.find("install sudo") != std::string::npos);
}
