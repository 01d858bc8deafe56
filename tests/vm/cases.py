#!/usr/bin/env python3
"""The core of the end-to-end suite, on perf uprobes: cases.py BUILD_DIR [WORD…]. It is small enough for a guest
without hardware help; where the kernel has uprobe_multi, OISP_TEST_UPROBES=perf makes recordings do without.

What may differ on another kernel is tried: how probes are placed, each way of calling OpenSSL, to begin, to
end and to be killed. Decoding does not differ, so the shapes of exchanges are left to tests/end-to-end."""

import os
import signal
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "end-to-end"))
import harness  # noqa: E402
import plans  # noqa: E402
import cases_programs  # noqa: E402,F401  (importing registers the cases)
import cases_session  # noqa: E402,F401
from cases_clients import PYTHON, curl_command  # noqa: E402
from compare import compare  # noqa: E402
from harness import CLIENTS, case, check, processes, roles, wait_for  # noqa: E402

CORE = ["core-", "openssl-ex", "openssl-non-blocking", "openssl-writer", "bundled-libssl", "pid-of-a-running",
        "pid-and-its", "container-on-overlayfs", "interrupted-by-the-terminal", "killed-all-at-once"]


def compare_run(bench, command, plan):
    recording = bench.record(command)
    check(recording.status == 0, f"status {recording.status}: {recording.text()}")
    uprobes = recording.events("sensor.start")[0]["data"]["uprobes"]
    check(uprobes == "perf", f"not perf uprobes, but {uprobes}")
    missing = recording.events("sensor.start")[0]["data"].get("missing_hooks", [])
    check(not any(hook.startswith("sock_") for hook in missing), f"sockets are not seen: {missing}")
    compare(recording, bench.provider.entries(len(plan)))
    return recording


@case
def core_python(bench):
    plan = plans.basic() + plans.tools() + plans.big()[-2:]
    compare_run(bench, [PYTHON, f"{CLIENTS}/client.py", "connection", bench.write_plan(plan)], plan)


@case
def core_curl(bench):
    """A process for each request, a shell above: the tree, and what each program executes."""
    plan = plans.basic()
    recording = compare_run(bench, ["sh", "-c", "\n".join(curl_command(bench, plan))], plan)
    programs = [event["process"]["name"] for event in recording.events("process.exec")]
    check(programs.count("curl") == len(plan), f"programs {programs}")
    coverage = recording.events("sensor.coverage")[-1]["data"]
    check(coverage["tls_connections_read"] == len(plan), f"coverage {coverage}")


@case
def core_node(bench):
    plan = plans.basic()
    compare_run(bench, ["node", f"{CLIENTS}/client.js", bench.write_plan(plan)], plan)


@case
def core_helper_killed(bench):
    """kill -9 of the helper between requests: the next one adopts the perf probes, nothing is missing."""
    plan = [step for _ in range(8) for step in plans.basic()]
    recording = bench.start(["--", PYTHON, f"{CLIENTS}/client.py", "connection", bench.write_plan(plan)]).ready()
    wait_for(lambda: bench.provider.logged() >= 4, "the first requests")
    killed = roles(recording.pid)["oisp-probe-helper"]
    os.kill(killed, signal.SIGKILL)
    check(recording.wait() == 0, recording.text())
    check(bench.provider.logged() == len(plan), "the load was over too early")
    check(killed not in processes(), "the helper lives")
    compare(recording, bench.provider.entries(len(plan)))


if __name__ == "__main__":
    if len(sys.argv) < 2 or os.geteuid() != 0:
        sys.exit("usage: cases.py BUILD_DIR [WORD…], as root")
    sys.exit(harness.run_cases(sys.argv[1], sys.argv[2:] or CORE))
