"""HTTP/2: real clients before a server of it, which hands all on to the provider."""

import contextlib
import os
import subprocess

import plans
from cases_clients import PYTHON, curl_command
from compare import compare
from harness import CLIENTS, Skip, case, check, need


@contextlib.contextmanager
def front(provider, enter=()):
    """The address of the server, which the command `enter` starts. It is no child of what is recorded."""
    need("node")
    server = subprocess.Popen([*enter, "node", f"{CLIENTS}/http2-front.js", provider.url, os.path.dirname(provider.ca)],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield f"https://localhost:{int(server.stdout.readline())}"
    finally:
        server.stdin.close()
        server.wait(10)


def record_and_compare(bench, command, plan):
    with front(bench.provider) as url:
        recording = bench.record(["env", f"DEMO_URL={url}", *command])
    check(recording.status == 0, f"status {recording.status}: {recording.text()}")
    compare(recording, bench.provider.entries(len(plan)))
    versions = {event["ext"]["oisp_sensor"]["http"]["version"] for event in recording.events("ai.request")}
    check(versions == {"2"}, f"versions {versions}")
    return recording


@case
def http2_curl(bench):
    need("curl")
    if b"HTTP2" not in subprocess.run(["curl", "--version"], capture_output=True).stdout:
        raise Skip("this curl does not speak HTTP/2")
    plan = plans.everything()
    record_and_compare(bench, ["sh", "-c", "\n".join([*curl_command(bench, plan), "exit 0"])], plan)


@case
def http2_node_streams_side_by_side(bench):
    plan = plans.everything()
    recording = record_and_compare(bench, ["node", f"{CLIENTS}/http2-client.js", bench.write_plan(plan)], plan)
    streams = {event["ext"]["oisp_sensor"]["stream"] for event in recording.events("ai.request")}
    check(len(streams) == 1, f"{len(streams)} connections")


@case
def http2_python_httpx(bench):
    if subprocess.run([PYTHON, "-c", "import httpx, h2"], capture_output=True).returncode != 0:
        raise Skip("python3-httpx and python3-h2 are not installed")
    plan = plans.everything()
    record_and_compare(bench, [PYTHON, f"{CLIENTS}/client.py", "httpx2", bench.write_plan(plan)], plan)
