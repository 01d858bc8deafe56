"""HTTP without TLS: clients of local model servers, and such servers themselves."""

import contextlib
import json
import os
import signal
import socket
import subprocess

import plans
from cases_clients import PYTHON, ROOM, curl_command
from compare import compare
from harness import CLIENTS, Provider, Skip, case, check, need


@contextlib.contextmanager
def plain_provider(bench):
    """One that speaks no TLS. It is no child of what is recorded."""
    folder = os.path.join(bench.folder, f"plain-{bench.next_number()}")
    os.mkdir(folder)
    provider = Provider(folder, options=["--plain"])
    try:
        yield provider
    finally:
        provider.stop()


def need_hooks():
    """Before 6.3 the kernel shows nothing of what sockets carry: the recording says so."""
    if tuple(int(part) for part in os.uname().release.split(".")[:2]) < (6, 3):
        raise Skip("this kernel has no hook that shows what sockets carry")


def check_facts(recording, connections, port):
    """What every event says of where it comes from."""
    for event in recording.events():
        if event["event_type"] not in ("ai.request", "ai.response", "ai.embedding"):
            check(event["event_type"] != "tls.handshake", "a handshake without TLS")
            continue
        sensor = event["ext"]["oisp_sensor"]
        source, confidence = event["source"], event["confidence"]
        check(source["capture_method"] == "ebpf_tracepoint", f"source {source}")
        is_sent = (sensor["role"] == "client") == (event["event_type"] == "ai.request")
        check(source["capture_point"] == ("socket_write" if is_sent else "socket_read"), f"source {source}")
        check(confidence["content_source"] == "plaintext_capture", f"confidence {confidence}")
        check(sensor["connection"]["confidence"] == "socket", f"connection {sensor['connection']}")
        end = sensor["connection"]["remote" if sensor["role"] == "client" else "local"]
        check(end["port"] == port, f"{sensor['role']} at {sensor['connection']}")
        check(end["ip"] in ("127.0.0.1", "::1", "::ffff:127.0.0.1"), f"{sensor['role']} at {sensor['connection']}")
        if event["event_type"] == "ai.request":
            check(sensor["http"]["scheme"] == "http", f"scheme {sensor['http']}")
    coverage = [event["data"] for event in recording.events("sensor.coverage")][-1]
    check(coverage["tls_connections"] == 0 and not coverage.get("blind_spots"), f"coverage {coverage}")
    check(connections is None or coverage["plain_connections"] == connections, f"coverage {coverage}")
    check(b"without TLS" in recording.stderr, f"the summary does not name them: {recording.text()[-1000:]}")


def record_and_compare(bench, command, plan, connections=None, others=0, **more):
    need_hooks()
    with plain_provider(bench) as provider:
        environment = bench.environment(DEMO_URL=provider.url, **more)
        recording = bench.record([*command, bench.write_plan(plan)] if plan else command, ROOM, env=environment)
        check(recording.status == 0, f"status {recording.status}: {recording.text()}")
        compare(recording, provider.entries(len(plan) + others))
        check_facts(recording, connections, provider.port)
        roles = {event["ext"]["oisp_sensor"]["role"] for event in recording.events("ai.request")}
        check(roles == {"client"}, f"roles {roles}")
    return recording


@case
def plain_python_urllib(bench):
    plan = plans.everything()
    record_and_compare(bench, [PYTHON, f"{CLIENTS}/client.py", "urllib"], plan, len(plan))


@case
def plain_python_kept_connection_begins_with_other_requests(bench):
    record_and_compare(bench, [PYTHON, f"{CLIENTS}/client.py", "connection"], plans.everything(), others=2, ASK_FIRST="1")


@case
def plain_python_aiohttp(bench):
    if subprocess.run([PYTHON, "-c", "import aiohttp"], capture_output=True).returncode != 0:
        raise Skip("python3-aiohttp is not installed")
    record_and_compare(bench, [PYTHON, f"{CLIENTS}/client.py", "aiohttp"], plans.everything())


@case
def plain_node_http(bench):
    need("node")
    record_and_compare(bench, ["node", f"{CLIENTS}/client.js"], plans.everything())


@case
def plain_node_fetch(bench):
    need("node")
    plan = [step for step in plans.everything() if "demo:break" not in json.dumps(step)]
    record_and_compare(bench, ["node", f"{CLIENTS}/fetch.mjs"], plan)


@case
def plain_curl(bench):
    need("curl")
    need_hooks()
    plan = plans.everything()
    with plain_provider(bench) as provider:
        recording = bench.record(["sh", "-c", "\n".join([*curl_command(bench, plan), "exit 0"])], ROOM,
                                 env=bench.environment(DEMO_URL=provider.url))
        check(recording.status == 0, f"status {recording.status}: {recording.text()}")
        compare(recording, provider.entries(len(plan)))
        check_facts(recording, len(plan), provider.port)


class Side:
    """A recording as one of the two sides saw it."""

    def __init__(self, recording, role):
        self.recording = recording
        self.role = role

    def events(self, kind=None):
        return [event for event in self.recording.events(kind)
                if kind is None or event["ext"]["oisp_sensor"].get("role", self.role) == self.role]

    def responses(self):
        return [event for event in self.recording.responses() if event["ext"]["oisp_sensor"]["role"] == self.role]


@case
def plain_server_and_client_in_one_tree(bench):
    """Each exchange is told of twice, by its client and by its server, and neither is mistaken for the other."""
    need_hooks()
    plan = plans.everything()
    log = os.path.join(bench.folder, "exchanges.jsonl")
    recording = bench.record([PYTHON, f"{CLIENTS}/serve-and-ask.py", log, PYTHON, f"{CLIENTS}/client.py", "connection",
                              bench.write_plan(plan)], ROOM)
    check(recording.status == 0, f"status {recording.status}: {recording.text()}")
    server = int(recording.stdout.decode().split("server ")[1])
    with open(log) as file:
        entries = sorted((json.loads(line) for line in file), key=lambda entry: entry["order"])
    check(len(entries) == len(plan), f"{len(entries)} exchanges")
    port = {event["ext"]["oisp_sensor"]["connection"]["local"]["port"] for event in recording.events("ai.request")
            if event["ext"]["oisp_sensor"]["role"] == "server"}
    check(len(port) == 1, f"ports {port}")
    compare(Side(recording, "client"), entries)
    compare(Side(recording, "server"), entries, server=server)
    check_facts(recording, None, port.pop())
    connects = [event for event in recording.events("network.connect") if event["process"]["pid"] == server]
    check(not connects, f"the server is said to have connected: {connects}")


@case
def plain_server_that_ran_before(bench):
    """A server with a kept connection that is in use when the recording begins."""
    need_hooks()
    plan = [plans.ollama("First"), plans.ollama("Second"), plans.ollama("Third", stream=False)]
    with plain_provider(bench) as provider:
        client = socket.create_connection(("127.0.0.1", provider.port))

        def ask(step):
            body = json.dumps(step["body"]).replace("PID", str(os.getpid())).encode()
            client.sendall(b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s"
                           % (step["path"].encode(), len(body), body))
            answer = b""
            while not answer.endswith(b"0\r\n\r\n") and b'"done": true' not in answer and b'"done":true' not in answer:
                part = client.recv(65536)
                check(part, "the server closed the connection")
                answer += part

        ask(plan[0])
        recording = bench.start(["--pid", str(provider.process.pid)]).ready()
        for step in plan[1:]:
            ask(step)
        entries = provider.entries(len(plan))[1:]
        os.kill(recording.pid, signal.SIGINT)
        recording.wait()
        client.close()
        compare(recording, entries, server=provider.process.pid)
        check_facts(recording, 1, provider.port)


@case
def plain_traffic_of_others_is_left_alone(bench):
    """A web server that is none of models, on whose connections nothing is taken; and one that only looks like it."""
    need_hooks()
    program = ("import http.client, os\n"
               "place = os.environ['DEMO_URL'].rsplit('/', 1)[1]\n"
               "for path, times in (('/echo', 40), ('/health', 40)):\n"
               "    connection = http.client.HTTPConnection(place)\n"
               "    for number in range(times):\n"
               "        connection.request('POST' if path == '/echo' else 'GET', path, b'x' * 1000 if path == '/echo' else None)\n"
               "        connection.getresponse().read()\n")
    with plain_provider(bench) as provider:
        recording = bench.record([PYTHON, "-c", program], env=bench.environment(DEMO_URL=provider.url))
        check(recording.status == 0, f"status {recording.status}: {recording.text()}")
        provider.entries(80)
    coverage = [event["data"] for event in recording.events("sensor.coverage")][-1]
    check(coverage["ai_exchanges"] == 0 and coverage.get("plain_connections", 0) == 0, f"coverage {coverage}")
    check(coverage["http_exchanges"] <= 40 and not coverage.get("blind_spots"), f"coverage {coverage}")
