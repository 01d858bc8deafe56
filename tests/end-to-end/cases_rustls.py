"""Deno, in which is a rustls without symbols."""

import os

import plans
from compare import compare
from harness import CLIENTS, Failure, Skip, case, check
from packages import program_of

# With and without what exceptions are unwound with, by which functions are told apart. OISP_TEST_ALL_VERSIONS=1 adds
# the others.
DENOS = ["1.46.3", "2.9.6"]
MORE_DENOS = ["2.2.12", "2.5.6"]


def deno_fetch(bench, version, plan, **more):
    program = program_of(f"@deno/linux-x64-glibc@{version}", "deno")
    os.chmod(program, 0o755)  # some of the packages have it as data
    environment = bench.environment(DENO_CERT=bench.provider.ca, DENO_NO_UPDATE_CHECK="1",
                                    DENO_DIR=os.path.join(bench.folder, "deno"), **more)
    recording = bench.record([program, "run", "--allow-all", f"{CLIENTS}/fetch.mjs", bench.write_plan(plan)],
                             env=environment)
    try:
        check(recording.status == 0, f"status {recording.status}: {recording.text()}")
        compare(recording, bench.provider.entries(len(plan)))
    except Failure as reason:
        raise Failure(f"Deno {version}: {reason}") from reason


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
