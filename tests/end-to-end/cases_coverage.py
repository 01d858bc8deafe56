"""docs/coverage.md: programs that people run, each recorded with a few exchanges and looked at by ssl-info."""

import contextlib
import json
import os
import re
import subprocess
from typing import Callable, NamedTuple

import coverage
import plans
import runtimes
from cases_boringssl import CHROMIUM, CLAUDE_CODE, chromium_from_npm, record_chromium, record_claude_code
from cases_clients import PACKAGES, PYTHON, STATIC_NODES, curl_command, static_node
from cases_codex import CODEX, record_codex
from cases_http2 import front
from compare import compare
from harness import CLIENTS, LIBRARIES, Failure, Skip, case, check, need
from packages import cached_packages, program_of

LIBSSL = os.path.join(LIBRARIES, "libssl.so.3")
TOOL = {"type": "function", "name": "run_command"}  # as Responses has it
LIBGNUTLS = os.path.join(LIBRARIES, "libgnutls.so.30")
SDK = "npm's " + " and ".join(PACKAGES).replace("sdk@", "sdk ").replace("openai@", "openai ")
# Large, so only with OISP_TEST_AGENTS=1, as is Codex: name, package, the program in it. They do not run.
ONLY_SCANNED = [
    ("opencode", "opencode-linux-x64@1.18.34", "bin/opencode"),
    ("GitHub Copilot CLI", "@github/copilot-linux-x64@1.0.102", "copilot"),
]
ORDER = ["Claude Code", "Codex", "opencode", "GitHub Copilot CLI", SDK, "Node.js", "Bun", "Deno", "Chromium",
         "Python urllib", "Python httpx", "Perl LWP", "curl", "wget"]


class Subject(NamedTuple):
    program: str
    version: str
    file: str  # in which the TLS library is
    recordings: list[Callable] = []  # each: bench -> recording, what the provider logged of it, who may have sent
    pinned: bool = True


def by_plan(command, environment=None, http2=False):
    """Records a client that takes a plan as its last argument, or is made for one."""
    def record(bench):
        plan = plans.basic() + plans.tools() + [plans.responses("Run `id`", tools=[TOOL], stream=True)]
        words = command(bench, plan) if callable(command) else [*command, bench.write_plan(plan)]
        with front(bench.provider) if http2 else contextlib.nullcontext(bench.provider.url) as url:
            recording = bench.record(words, env=bench.environment(**{"DEMO_URL": url, **(environment or {})}))
        return recording, bench.provider.entries(len(plan)), None
    return record


def of_runtime(runtime, **pinned):
    """A runtime's own fetch, and the packages under it. Deno's fetch takes HTTP/2 where the server offers it."""
    name, version = runtime.name.split()
    sdk = {"SDK_FOLDER": cached_packages(PACKAGES)}
    script = lambda client, http2=False, **more: by_plan([*runtime.command, f"{CLIENTS}/{client}"],
                                                         {**runtime.environment, **more}, http2)
    clients = [script("fetch.mjs")] + [script("fetch.mjs", True)] * (name == "Deno")
    return [Subject(name, version, runtime.command[0], clients, **pinned),
            Subject(SDK, f"under {runtime.name}", runtime.command[0], [script("sdk.mjs", **sdk)], **pinned)]


def node_subject(program, version, **pinned):
    client = lambda name, http2: by_plan([program, f"{CLIENTS}/{name}"], http2=http2)
    return Subject("Node.js", version, program, [client("client.js", False), client("http2-client.js", True)], **pinned)


def said_version(*command):
    need(command[0])
    said = subprocess.run(command, capture_output=True, text=True)
    version = re.search(r"\d+(\.\d+)+", said.stdout)
    if not version:
        raise Skip(f"`{' '.join(command)}` says no version")
    return version.group(0)


def node_of_system(bench):
    version = said_version("node", "--version")
    runtime = runtimes.node(bench)._replace(name=f"Node.js {version}", command=[os.path.realpath("/usr/bin/node")])
    return [node_subject(runtime.command[0], version, pinned=False), of_runtime(runtime, pinned=False)[1]]


def python_library(library, module, http2=False):
    version = said_version(PYTHON, "-c", f"from {module} import __version__; print(__version__)")
    client = lambda word, two: by_plan([PYTHON, f"{CLIENTS}/client.py", word], http2=two)
    clients = [client(library, False)] + [client(f"{library}2", True)] * http2
    return [Subject(f"Python {library}", version, LIBSSL, clients, pinned=False)]


def by_shell(lines):
    return lambda bench, plan: ["sh", "-c", "\n".join([*lines(bench, plan), "exit 0"])]


def wget_command(bench, plan):
    for step in plan:
        yield (f"wget -qO /dev/null --ca-certificate=$DEMO_CA $DEMO_URL{step['path']} --header 'X-Api-Key: made-up' "
               f"--header 'Content-Type: application/json' --post-file={bench.write_plan(step['body'])}")


def of_system(bench):
    """What this system has, in whatever version. wget is one that is not read: its library is GnuTLS."""
    curl = by_shell(curl_command)
    yield lambda: node_of_system(bench)
    yield lambda: python_library("urllib", "urllib.request")
    yield lambda: python_library("httpx", "httpx", http2=True)
    yield lambda: [Subject("Perl LWP", said_version("perl", "-MLWP::Protocol::https", "-e", "print LWP->VERSION"), LIBSSL,
                           [by_plan(["perl", f"{CLIENTS}/client.pl"])], pinned=False)]
    yield lambda: [Subject("curl", said_version("curl", "--version"), LIBSSL, [by_plan(curl), by_plan(curl, http2=True)],
                           pinned=False)]
    yield lambda: [Subject("wget", said_version("wget", "--version"), LIBGNUTLS,
                           [by_plan(by_shell(wget_command))], pinned=False)]


def version_of(package):
    return package.rsplit("@", 1)[1]


def only_scanned(name, package, program):
    return Subject(name, version_of(package).removesuffix("-linux-x64"), program_of(package, program))


def of_packages(bench):
    """What npm has, in a certain version."""
    yield lambda: [Subject("Claude Code", version_of(CLAUDE_CODE), program_of(CLAUDE_CODE, "claude"), [record_claude_code])]
    for version in runtimes.BUNS + runtimes.LOUD_BUNS * runtimes.ALL_VERSIONS:
        yield lambda version=version: of_runtime(runtimes.bun(bench, version))
    for version in runtimes.DENOS + runtimes.MORE_DENOS * runtimes.ALL_VERSIONS:
        yield lambda version=version: of_runtime(runtimes.deno(bench, version))
    for version in STATIC_NODES:
        yield lambda version=version: [node_subject(static_node(version), version)]
    yield lambda: [Subject("Chromium", version_of(CHROMIUM), chromium_from_npm(CHROMIUM),
                           [lambda bench: record_chromium(bench, CHROMIUM, plans.basic() + plans.tools())])]
    if os.environ.get("OISP_TEST_AGENTS"):
        yield lambda: [only_scanned("Codex", *CODEX)._replace(recordings=[record_codex])]
        for agent in ONLY_SCANNED:
            yield lambda agent=agent: [only_scanned(*agent)]


def scanned(bench, file):
    """What ssl-info says: the library, and how it was found or why it is refused."""
    said = subprocess.run([bench.sensor, "ssl-info", "--format", "json", file], capture_output=True, text=True)
    check(said.returncode == 0, f"ssl-info {file}: {said.stderr}")
    entry = json.loads(said.stdout)
    if entry["outcome"] == "found":
        return entry["family"], entry["found_by"]
    return "–", f"{entry['outcome']}: {entry['reason']}" if "reason" in entry else "no TLS library that is known"


def row_of(bench, subject):
    library, how = scanned(bench, subject.file)
    exchanges, tools, spoken = "whole" if subject.recordings else "not run", 0, set()
    for make in subject.recordings:
        recording, entries, pids = make(bench)
        spoken |= {event["ext"]["oisp_sensor"]["http"].get("version") for event in recording.events("ai.request")}
        tools += len(recording.events("agent.tool_call"))
        try:
            compare(recording, entries, pids)
        except Failure as reason:
            print(f"     {subject.program} {subject.version}: {reason}", flush=True)
            exchanges = "–"
    word = lambda seen: exchanges if exchanges == "not run" else exchanges if seen else "–"
    return coverage.Row(subject.program, subject.version, library, how, exchanges, word(tools), word("1.1" in spoken),
                        word("2" in spoken))


@case
def coverage_page(bench):
    seen, pinned = {}, set()
    for find in [*of_packages(bench), *of_system(bench)]:
        try:
            subjects = find()
        except Skip as reason:
            print(f"     {reason}", flush=True)
            continue
        for subject in subjects:
            row = row_of(bench, subject)
            seen[row.program, row.version] = row
            if subject.pinned:
                pinned.add((row.program, row.version))
    if os.environ.get("OISP_WRITE_COVERAGE"):
        coverage.write(seen, ORDER)
    coverage.compare(seen, pinned)
