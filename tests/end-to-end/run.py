#!/usr/bin/env python3
"""End-to-end tests: run.py BUILD_DIR [WORD…]. Real clients, the built sensor, and the provider's own log as
the truth. With words, only the cases whose names hold one of them. Needs root."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness  # noqa: E402
import cases_agents  # noqa: E402,F401  (importing registers the cases)
import cases_boringssl  # noqa: E402,F401
import cases_clients  # noqa: E402,F401
import cases_coverage  # noqa: E402,F401
import cases_codex  # noqa: E402,F401
import cases_explain  # noqa: E402,F401
import cases_http2  # noqa: E402,F401
import cases_plain  # noqa: E402,F401
import cases_programs  # noqa: E402,F401
import cases_rustls  # noqa: E402,F401
import cases_session  # noqa: E402,F401
import cases_trust  # noqa: E402,F401
import cases_users  # noqa: E402,F401

if len(sys.argv) < 2 or os.geteuid() != 0:
    sys.exit("usage: run.py BUILD_DIR [WORD…], as root")
sys.exit(harness.run_cases(sys.argv[1], sys.argv[2:]))
