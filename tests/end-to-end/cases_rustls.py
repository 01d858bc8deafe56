"""Programs in which is a rustls without symbols: Deno, and small ones of our own."""

import json
import os

import plans
import runtimes
from compare import compare_run
from harness import CLIENTS, Skip, case
from packages import rust_client


def deno_fetch(bench, version, plan, **more):
    runtime = runtimes.deno(bench, version)
    recording = bench.record([*runtime.command, f"{CLIENTS}/fetch.mjs", bench.write_plan(plan)],
                             env=bench.environment(**runtime.environment, **more))
    compare_run(bench, recording, len(plan), runtime.name)


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


# As it comes, and as small programs are shipped.
BUILDS = {"": {}, "lto-abort": {"LTO": "fat", "CODEGEN_UNITS": "1", "PANIC": "abort"}}


def rust_fetch(bench, name, build, profile, **more):
    """rustls 0.20 of Debian, built here."""
    program = rust_client(os.path.join(CLIENTS, name), build, profile)
    plan = plans.everything()
    file = os.path.join(bench.folder, f"plan-{bench.next_number()}.txt")
    with open(file, "w") as target:
        target.writelines(f"{step['path']} {json.dumps(step['body'])}\n" for step in plan)
    recording = bench.record([program, file], env=bench.environment(**more))
    compare_run(bench, recording, len(plan), f"{name} {build}")


@case
def rust_rustls(bench):
    for build, profile in BUILDS.items():
        rust_fetch(bench, "rustls-plain", build, profile)


@case
def rust_reqwest(bench):
    if not runtimes.ALL_VERSIONS:
        raise Skip("OISP_TEST_ALL_VERSIONS is not set")
    rust_fetch(bench, "reqwest-fetch", "", {})
