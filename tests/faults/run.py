#!/usr/bin/env python3
"""Faults under load: run.py BUILD_DIR [WORD…]. Needs root. The truth is the provider's log.

By default each case is about as short as it can be to say something. In full:

    KILLS=50 tests/faults/run.py build random-kills collector-kills    # some minutes
    CYCLES=1000 tests/faults/run.py build attach-cycles                # ten minutes and more
    MINUTES=10 tests/faults/run.py build soak

SEED=N repeats the choices of a run, which it prints."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "end-to-end"))
import harness  # noqa: E402
import cases_attach  # noqa: E402,F401  (importing registers the cases)
import cases_kills  # noqa: E402
import cases_soak  # noqa: E402,F401
import cases_stuck  # noqa: E402,F401

if __name__ == "__main__":
    if len(sys.argv) < 2 or os.geteuid() != 0:
        sys.exit("usage: run.py BUILD_DIR [WORD…], as root")
    print(f"SEED={cases_kills.SEED}", flush=True)
    sys.exit(harness.run_cases(sys.argv[1], sys.argv[2:]))
