"""What CMD sees of roles that hang or die too often: nothing."""

import os
import signal
import time

from cases_kills import chance
from harness import CLIENTS, LIBRARIES, case, check, note_launcher, roles, wait_for


def bring_libraries(bench, *count):
    """CMD starts programs that each bring a new library, and so are stopped until it is probed."""
    recording = bench.start(["--", "/usr/bin/python3", f"{CLIENTS}/many-libraries.py", f"{LIBRARIES}/libssl.so.3",
                             *count])
    wait_for(lambda: b"started" in recording.stdout, "CMD to start")
    note_launcher(recording.pid)
    return recording


@case
def helper_hangs(bench):
    """Nobody probes and nobody says that a process is stopped: all go on."""
    recording = bring_libraries(bench, "50")
    time.sleep(chance.uniform(0, 0.2))
    helper = roles(recording.pid)["oisp-probe-helper"]
    os.kill(helper, signal.SIGSTOP)
    wait_for(lambda: b"50 programs, 0 harmed" in recording.stdout, "all programs to end well")
    os.kill(helper, signal.SIGCONT)
    status = recording.wait()
    check(status == 0, f"status {status}: {recording.text()[-1500:]}")


@case
def helper_gives_up(bench):
    """Killed until the launcher starts it no more: CMD and its programs go on."""
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
def opener_gives_up(bench):
    """The session ends with a reason, and CMD's own end is not touched."""
    recording = bench.start(["--", "sh", "-c", "echo started; exec sleep 600"]).ready()
    end = time.monotonic() + 60
    while "oisp-launcher" in (ours := roles(recording.pid)) and time.monotonic() < end:
        if "oisp-file-opener" in ours:
            os.kill(ours["oisp-file-opener"], signal.SIGKILL)
        time.sleep(0.2)
    check(time.monotonic() < end, "it never gave up")
    check(recording.process.poll() is None, "CMD was ended")
    recording.kill_all()
