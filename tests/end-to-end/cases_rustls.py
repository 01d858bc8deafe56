"""Deno, in which is a rustls without symbols."""

import os

import plans
import runtimes
from compare import compare
from harness import CLIENTS, Failure, Skip, case, check

# With and without what exceptions are unwound with, by which functions are told apart. OISP_TEST_ALL_VERSIONS=1 adds
# the others.
DENOS = ["1.46.3", "2.9.6"]
MORE_DENOS = ["2.2.12", "2.5.6"]


def deno_fetch(bench, version, plan, **more):
    runtime = runtimes.deno(bench, version)
    recording = bench.record([*runtime.command, f"{CLIENTS}/fetch.mjs", bench.write_plan(plan)],
                             env=bench.environment(**runtime.environment, **more))
    try:
        check(recording.status == 0, f"status {recording.status}: {recording.text()}")
        compare(recording, bench.provider.entries(len(plan)))
    except Failure as reason:
        raise Failure(f"{runtime.name}: {reason}") from reason


@case
def deno(bench):
    for version in DENOS:
        deno_fetch(bench, version, plans.everything())


@case
def deno_many_at_once(bench):
    for version in DENOS:
        deno_fetch(bench, version, plans.everything(), AT_ONCE="1")


@case
def deno_other_versions(bench):
    if not os.environ.get("OISP_TEST_ALL_VERSIONS"):
        raise Skip("OISP_TEST_ALL_VERSIONS is not set")
    for version in MORE_DENOS:
        deno_fetch(bench, version, plans.everything())
