"""Deno, in which is a rustls without symbols."""

import plans
import runtimes
from compare import compare
from harness import CLIENTS, Failure, Skip, case, check


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
    for version in runtimes.DENOS:
        deno_fetch(bench, version, plans.everything())


@case
def deno_many_at_once(bench):
    for version in runtimes.DENOS:
        deno_fetch(bench, version, plans.everything(), AT_ONCE="1")


@case
def deno_other_versions(bench):
    if not runtimes.ALL_VERSIONS:
        raise Skip("OISP_TEST_ALL_VERSIONS is not set")
    for version in runtimes.MORE_DENOS:
        deno_fetch(bench, version, plans.everything())
