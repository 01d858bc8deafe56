// The pipeline's ledgers: what was lost, what was seen, and the end of a run.
#include <sys/wait.h>

#include <algorithm>
#include <vector>

#include "collector/pipeline.h"

namespace oisp {

// Holes in the numbers are what is missing; the kernel's counters say how much of it found no room.
bool Pipeline::wants_counters() const {
  return std::ranges::any_of(kRingFamilies, [this](std::uint32_t family) {
    return sequences_.holes(family) > (counters_ ? counters_->dropped[family] : 0);
  });
}

void Pipeline::account_bounds() {
  if (counters_) {
    for (const std::uint32_t family : kRingFamilies) {
      losses_.raise_to(kFamilyWords[family], "ring", "ring full",
                       std::min<std::uint64_t>(counters_->dropped[family], sequences_.holes(family)));
    }
  }
  losses_.raise_to("process", "processes", "too many processes at once", processes_.evicted());
  losses_.raise_to("network", "connections", "too many connections at once", connections_.evicted());
  losses_.raise_to("event", "fan_out", "event too large", factory_.too_large());
}

// At the end the counters also tell of records behind the last one that was seen.
void Pipeline::account_for_good(bool drained) {
  account_bounds();
  if (!drained) losses_.add("record", "helper", "ended before the ring was drained", 1);
  for (const std::uint32_t family : kRingFamilies) {
    std::uint64_t missing = sequences_.holes(family);
    if (counters_ && sequences_.from_start() && counters_->sequence[family] > sequences_.seen(family)) {
      missing = counters_->sequence[family] - sequences_.seen(family);
    }
    const std::uint64_t dropped = counters_ ? std::min<std::uint64_t>(counters_->dropped[family], missing) : 0;
    losses_.raise_to(kFamilyWords[family], "ring", "ring full", dropped);
    losses_.add_unexplained(missing - dropped);
  }
  if (!counters_) return;
  losses_.raise_to("file", "ring", "ring full", counters_->dropped[OISP_FAMILY_FILE]);
  losses_.raise_to("tls", "memory", "no room for a call's or session's state", counters_->no_state);
}

void Pipeline::emit_coverage(bool final, std::uint64_t now_boot_ns) {
  const Origin origin{.process = nullptr, .tid = 0, .boot_ns = now_boot_ns, .point = CapturePoint::sensor};
  (void)factory_.emit(origin, [&](schema::Event::Builder event) {
    coverage_.report(event.getData().initSensorCoverage(),
                     {.processes = processes_.seen(), .connections = connections_.seen(), .streams = streams_.seen()},
                     final);
  });
}

void Pipeline::emit_loss(bool final, std::uint64_t now_boot_ns) {
  const Origin origin{.process = nullptr, .tid = 0, .boot_ns = now_boot_ns, .point = CapturePoint::sensor};
  (void)factory_.emit(origin,
                      [&](schema::Event::Builder event) { losses_.report(event.getData().initSensorLoss(), final); });
}

void Pipeline::on_interval(std::uint64_t now_boot_ns) {
  judge_left(now_boot_ns);
  processes_.forget_exited(now_boot_ns);
  if (!started_) return;
  account_bounds();
  if (coverage_.has_news()) emit_coverage(false, now_boot_ns);
  if (losses_.has_news()) emit_loss(false, now_boot_ns);
}

void Pipeline::finish(const RunEnd& end, bool drained, std::uint64_t now_boot_ns) {
  streams_.end_all(EndCause::run_ended);
  std::vector<std::uint64_t> cookies;
  for (const auto& [cookie, connection] : connections_) cookies.push_back(cookie);
  for (const std::uint64_t cookie : cookies) judge(*connections_.find(cookie));
  account_for_good(drained);
  if (counters_) coverage_.set_unseen_calls(counters_->unseen_calls);
  emit_coverage(true, now_boot_ns);
  emit_loss(true, now_boot_ns);
  const Origin origin{.process = nullptr, .tid = 0, .boot_ns = now_boot_ns, .point = CapturePoint::sensor};
  (void)factory_.emit(origin, [&](schema::Event::Builder event) {
    auto stop = event.getData().initSensorStop();
    stop.setReason(end.interrupted ? "interrupted" : "command_ended");
    stop.setDurationMs(static_cast<std::int64_t>((now_boot_ns - started_ns_) / 1'000'000));
    if (!end.wait_status) return;
    if (WIFEXITED(*end.wait_status)) stop.setCommandExitCode(WEXITSTATUS(*end.wait_status));
    if (WIFSIGNALED(*end.wait_status)) stop.setCommandSignal(WTERMSIG(*end.wait_status));
  });
}

}  // namespace oisp
