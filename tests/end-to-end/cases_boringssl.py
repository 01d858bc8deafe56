"""Bun and what is made with it: BoringSSL without symbols. And Deno, whose rustls must not be taken for it."""

import contextlib
import os
import subprocess

import plans
from cases_clients import cached_packages
from compare import check_ledgers, compare
from harness import CLIENTS, Failure, Provider, Skip, case, check, need

# With and without arguments that the optimiser dropped, and with calls through memory. OISP_TEST_ALL_BUNS=1 adds
# the others.
BUNS = ["1.1.38", "1.3.12", "1.4.5"]
MORE_BUNS = ["1.0.36", "1.1.8", "1.1.22", "1.2.5", "1.2.15", "1.2.23", "1.3.2", "1.3.8", "1.4.0"]
CLAUDE_CODE = "@anthropic-ai/claude-code-linux-x64@2.1.329"
DENO = "@deno/linux-x64-glibc@2.9.6"


def program_of(package, name):
    folder = os.path.join(cached_packages([package]), "node_modules", package.rsplit("@", 1)[0])
    program = os.path.join(folder, name)
    check(os.path.exists(program), f"{program} is missing")
    return program


# These tell nobody that they have read to the end of a connection: not until they free it, which no error marks.
SILENT_ENDS = ["1.0.36", "1.1.8"]


def bun_fetch(bench, version):
    plan = plans.basic() + plans.tools() + plans.shapes() + plans.big()
    if version not in SILENT_ENDS:
        plan += plans.endings()
    program = program_of(f"@oven/bun-linux-x64@{version}", "bin/bun")
    more = {"UNVERIFIED": "1"} if version in SILENT_ENDS else {}
    recording = bench.record([program, f"{CLIENTS}/fetch.mjs", bench.write_plan(plan)], env=bench.environment(**more))
    try:
        check(recording.status == 0, f"status {recording.status}: {recording.text()}")
        compare(recording, bench.provider.entries(len(plan)))
    except Failure as reason:
        raise Failure(f"Bun {version}: {reason}") from reason


@case
def bun(bench):
    for version in BUNS:
        bun_fetch(bench, version)


@case
def bun_other_versions(bench):
    if not os.environ.get("OISP_TEST_ALL_BUNS"):
        raise Skip("OISP_TEST_ALL_BUNS is not set")
    for version in MORE_BUNS:
        bun_fetch(bench, version)


@contextlib.contextmanager
def lonely_network():
    """A network namespace with nothing but loopback: the command that enters it."""
    need("unshare", "nsenter", "ip")
    holder = subprocess.Popen(["unshare", "--net", "sh", "-c", "ip link set lo up && echo up && exec cat"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        check(holder.stdout.readline() == b"up\n", "no network namespace can be made")
        yield ["nsenter", f"--net=/proc/{holder.pid}/ns/net"]
    finally:
        holder.stdin.close()
        holder.wait(10)


@case
def claude_code(bench):
    """The program as npm has it, with a made-up key, before the demo provider: question, tool call, result, answer."""
    program = program_of(CLAUDE_CODE, "claude")
    home = os.path.join(bench.folder, "home")
    os.mkdir(home)
    with lonely_network() as enter:
        provider = Provider(bench.folder, enter)
        try:
            environment = bench.environment(HOME=home, ANTHROPIC_BASE_URL=provider.url, NODE_EXTRA_CA_CERTS=provider.ca,
                                            DISABLE_TELEMETRY="1", CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="1")
            recording = bench.record([*enter, program, "--bare", "-p", "Run `uname -sr`", "--model", "claude-sonnet-4-5",
                                      "--allowedTools", "Bash(uname:*)"], env=environment, cwd=home)
            entries = provider.entries(2)
        finally:
            provider.stop()
    check(recording.status == 0, f"status {recording.status}: {recording.text()}")
    pids = {event["process"]["pid"] for event in recording.events("process.exec")
            if event["process"].get("exe") == program}
    compare(recording, entries, pids=pids)
    check(len(recording.events("agent.tool_call")) == len(recording.events("agent.tool_result")) == 1, "the tool call")


@case
def deno_is_not_taken_for_it(bench):
    """No probe, and a blind spot that says why."""
    program = program_of(DENO, "deno")
    plan = plans.basic()
    recording = bench.record([program, "run", "--allow-all", f"{CLIENTS}/fetch.mjs", bench.write_plan(plan)],
                             env=bench.environment(DENO_CERT=bench.provider.ca, DENO_NO_UPDATE_CHECK="1",
                                                   DENO_DIR=os.path.join(bench.folder, "deno")))
    check(recording.status == 0, f"status {recording.status}: {recording.text()}")
    bench.provider.entries(len(plan))
    check(not recording.events("ai.request"), "an ai.request out of nothing")
    coverage = check_ledgers(recording, joined_late=True)
    files = [(file["outcome"], file["reason"]) for file in coverage["files"] if file["path"] == program]
    check(files == [("refused", "rustls: not supported yet")], f"files: {coverage['files']}")
