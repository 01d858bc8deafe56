"""HTTP/2: real clients before a server of it, which hands all on to the provider."""

import base64
import contextlib
import json
import os
import signal
import subprocess

import plans
from cases_clients import PYTHON, curl_command
from compare import body_of, check_ledgers, compare_meaning, compare_run
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
    compare_run(bench, recording, len(plan))
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


def need_httpx2():
    if subprocess.run([PYTHON, "-c", "import httpx, h2"], capture_output=True).returncode != 0:
        raise Skip("python3-httpx and python3-h2 are not installed")


@case
def http2_python_httpx(bench):
    need_httpx2()
    plan = plans.everything()
    record_and_compare(bench, [PYTHON, f"{CLIENTS}/client.py", "httpx2", bench.write_plan(plan)], plan)


@case
def http2_joined_late_knows_requests_by_their_bodies(bench):
    """The first request's headers went before the recording: later ones only refer to them. What is a request to a
    model is known by its body where that can be in one dialect only."""
    need_httpx2()
    steps = [plans.anthropic("First", system="s"), plans.anthropic("Second", system="s", stream=True),
             plans.responses("Of", instructions="i", store=False), plans.responses("Third", instructions="i", store=False),
             plans.openai("In doubt"), plans.openai("Still in doubt"), plans.openai("No", stream_options={}, stream=True)]
    before = {0, 2, 4}  # each path once
    order = sorted(range(len(steps)), key=lambda number: (number not in before, number))
    plan = bench.write_plan([steps[number] for number in order])
    # This one refers to paths that it sent before; nghttp2 (curl, Node.js) always spells them.
    program = ("import httpx, json, os, sys\n"
               "with httpx.Client(verify=os.environ['DEMO_CA'], timeout=60, http2=True) as client:\n"
               "    for step in json.load(open(sys.argv[1])):\n"
               "        sys.stdin.readline()\n"
               "        body = json.dumps(step['body']).replace('PID', str(os.getpid()))\n"
               "        client.post(os.environ['DEMO_URL'] + step['path'], content=body, headers={'Authorization': 'x'})\n"
               "        print('answered', flush=True)\n")
    with front(bench.provider) as url:
        client = subprocess.Popen([PYTHON, "-c", program, plan], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  env=bench.environment(DEMO_URL=url))

        def ask():
            client.stdin.write(b"\n")
            client.stdin.flush()
            check(client.stdout.readline() == b"answered\n", "the client did not go on")

        for _ in before:
            ask()
        recording = bench.start(["--pid", str(client.pid)]).ready()
        for _ in range(len(steps) - len(before)):
            ask()
        client.stdin.close()
        client.wait(10)
    entries = bench.provider.entries(len(steps))[len(before):]
    os.kill(recording.pid, signal.SIGINT)
    recording.wait()
    check_ledgers(recording, joined_late=True)
    requests = recording.events("ai.request")
    expected = [entry for entry in entries if b"Still in doubt" not in base64.b64decode(entry["request_body"])]
    check([body_of(event) for event in requests] == [base64.b64decode(entry["request_body"]) for entry in expected],
          f"requests {[event['data'].get('dialect') for event in requests]}")
    words = [event["data"]["dialect"] for event in requests]
    check(words == ["anthropic.messages", "openai.responses", "openai.chat_completions"], f"dialects {words}")
    for request, response, entry in zip(requests, recording.responses(), expected):
        http = request["ext"]["oisp_sensor"]["http"]
        check("path" not in http and "endpoint" not in request["data"]["provider"], f"a path that was not seen: {http}")
        confidence = request["confidence"]
        check(confidence["level"] == "medium" and "path_unknown" in confidence["reasons"], f"confidence {confidence}")
        check(body_of(response) == base64.b64decode(entry["response_body"]), "the answer's body")
        check(response["data"]["request_id"] == request["data"]["request_id"], "the answer of another request")
        compare_meaning(entry, json.loads(body_of(request)), {"success": True, **response["data"]})
