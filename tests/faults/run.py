#!/usr/bin/env python3
"""Processes of the sensor killed at random under load: run.py BUILD_DIR [WORD…]. Needs root.

The truth is the provider's log: after deaths of helper, opener and exporters nothing may be missing; after a
collector's, only what was open at that instant, and the output has to name it. SEED repeats a run, ROUNDS is
the number of deaths per role (default 2)."""

import base64
import os
import random
import signal
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "end-to-end"))
import harness  # noqa: E402
import plans  # noqa: E402
from compare import body_of, compare  # noqa: E402
from harness import CLIENTS, LAUNCHERS, LIBRARIES, case, check, roles, wait_for  # noqa: E402

SEED = int(os.environ.get("SEED") or time.time_ns() % 1000000)
ROUNDS = int(os.environ.get("ROUNDS") or 2)
chance = random.Random(SEED)


def load():
    """Some seconds of requests on kept connections, in four threads."""
    return [step for _ in range(12) for step in plans.basic() + plans.tools() + plans.shapes()]


def under_load(bench, names):
    """Records the load and kills a process of each name, one after the other, at random moments."""
    plan = load()
    recording = bench.start(["--", "/usr/bin/python3", f"{CLIENTS}/client.py", "connection", bench.write_plan(plan),
                             "4"]).ready()
    killed = 0
    for name in names:
        time.sleep(chance.uniform(0.1, 0.6))
        if recording.process.poll() is not None or b"whole" in recording.stdout:
            break
        pid = wait_for(lambda: roles(recording.pid).get(name) or recording.process.poll() is not None, name, 20)
        if pid is True:
            break
        os.kill(pid, signal.SIGKILL)
        killed += 1
    status = recording.wait()
    check(status == 0, f"status {status}: {recording.text()[-1500:]}")
    check(f"{len(plan)} of {len(plan)} whole".encode() in recording.stdout, f"clients were harmed: {recording.stdout}")
    check(killed > 0, "nothing was killed: the load was over too early")
    return recording, bench.provider.entries(len(plan))


def nothing_missing(bench, name):
    for _ in range(ROUNDS):
        recording, entries = under_load(bench, [name])
        compare(recording, entries)


@case
def helper_killed(bench):
    nothing_missing(bench, "oisp-probe-helper")


def bring_libraries(bench, *count):
    """CMD starts programs that each bring a new library, and so are stopped until it is probed."""
    recording = bench.start(["--", "/usr/bin/python3", f"{CLIENTS}/many-libraries.py", f"{LIBRARIES}/libssl.so.3",
                             *count])
    wait_for(lambda: b"started" in recording.stdout, "CMD to start")
    LAUNCHERS.update(pid for name, pid in roles(recording.pid).items() if name == "oisp-launcher")
    return recording


@case
def helper_hangs(bench):
    """Nobody probes and nobody says that a process is stopped: all go on."""
    for _ in range(ROUNDS):
        recording = bring_libraries(bench, "30")
        time.sleep(chance.uniform(0, 0.5))
        helper = roles(recording.pid)["oisp-probe-helper"]
        os.kill(helper, signal.SIGSTOP)
        wait_for(lambda: b"30 programs, 0 harmed" in recording.stdout, "all programs to end well")
        os.kill(helper, signal.SIGCONT)
        status = recording.wait()
        check(status == 0, f"status {status}: {recording.text()[-1500:]}")


@case
def helper_gives_up(bench):
    """Killed until the launcher starts it no more: CMD and its programs go on."""
    for _ in range(ROUNDS):
        recording = bring_libraries(bench)
        end = time.monotonic() + 60
        while "oisp-launcher" in (ours := roles(recording.pid)) and time.monotonic() < end:
            if "oisp-probe-helper" in ours:
                os.kill(ours["oisp-probe-helper"], signal.SIGKILL)
            time.sleep(chance.uniform(0, 0.2))
        check(time.monotonic() < end, "it never gave up")
        recording.wait()
        check(b"programs, 0 harmed" in recording.stdout, f"programs were harmed: {recording.stdout}")
        check("for the fifth time within a minute" in recording.text(), f"no reason: {recording.text()[-1500:]}")


@case
def opener_killed(bench):
    nothing_missing(bench, "oisp-file-opener")


@case
def jsonl_exporter_killed(bench):
    nothing_missing(bench, "oisp-exporter-jsonl")


@case
def terminal_exporter_killed(bench):
    nothing_missing(bench, "oisp-exporter-terminal")


@case
def several_killed(bench):
    names = ["oisp-probe-helper", "oisp-file-opener", "oisp-exporter-jsonl", "oisp-exporter-terminal"]
    for _ in range(ROUNDS):
        recording, entries = under_load(bench, chance.sample(names, len(names)))
        compare(recording, entries)


@case
def collector_killed(bench):
    """What was open at its death may be missing; that something may be has to be said."""
    for _ in range(ROUNDS):
        recording, entries = under_load(bench, ["oisp-collector"])
        sent = {base64.b64decode(entry["request_body"]) for entry in entries}
        seen = [body_of(event) for event in recording.events("ai.request")]
        check(len(set(seen)) == len(seen), "a request is there twice")
        check(set(seen) <= sent, "a request is there that was never sent")
        # Four connections: at most what each had open, and what it sent while nobody listened.
        missing = len(sent) - len(seen)
        check(missing < len(sent) / 2, f"{missing} of {len(sent)} requests are missing")
        words = recording.text() + str(recording.events("sensor.loss"))
        check("collector" in words, "nothing says that the collector died")


@case
def every_role_gives_up_at_last(bench):
    """Five deaths in a minute: the session ends with a reason, and CMD's own end is not touched."""
    recording = bench.start(["--", "sh", "-c", "echo started; exec sleep 600"])
    wait_for(lambda: b"started" in recording.stdout, "CMD to start")
    end = time.monotonic() + 60
    while recording.process.poll() is None and time.monotonic() < end:
        pid = roles(recording.pid).get("oisp-file-opener")
        if pid:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.2)
        if b"oisp" in recording.stderr and "oisp-launcher" not in roles(recording.pid):
            break
    check("oisp-launcher" not in roles(recording.pid), "it never gave up")
    recording.kill_all()


if __name__ == "__main__":
    if len(sys.argv) < 2 or os.geteuid() != 0:
        sys.exit("usage: run.py BUILD_DIR [WORD…], as root")
    print(f"SEED={SEED} ROUNDS={ROUNDS}", flush=True)
    sys.exit(harness.run_cases(sys.argv[1], sys.argv[2:]))
