"""Recordings of running programs, begun and ended again and again: the programs notice nothing, and nothing stays."""

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time

import plans
import runtimes
from cases_kills import chance
from compare import body_of, compare_exchange
from harness import CLIENTS, Skip, bpf_listed, case, check, copy_libssl, launcher_of, openssl_client, wait_for
from load import COUNTS, PYTHON, breakpoints, unique

CYCLES = int(os.environ.get("CYCLES") or 20)
AT_ONCE = 2
# How much a client may use more at the end than after the first tenth; Node.js, Bun and Deno collect when they like.
MOST_GROWTH_KIB = {"openssl": 512, "python": 4096, "node": 65536, "bun": 65536, "bun-1.4": 65536, "deno": 65536}
# One in so many recordings ends by kill -9 of everything.
KILLED_EACH = 8


def echo(words):
    return {"path": "/echo", "body": {"text": plans.prompt(words) * 20}}


class Client:
    """A program that sends and compares until it is told to stop. It knows of no sensor."""

    def __init__(self, bench, name, command, until, library=None, **more):
        self.name = name
        self.own_libssl = library
        environment = bench.environment(UNTIL=until, PAUSE="0.05", PAUSE_MS="50", **more)
        if library:
            environment["LD_LIBRARY_PATH"] = os.path.dirname(library)
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)
        self.pid = self.process.pid
        self.first_kib = None

    def kib(self):
        with open(f"/proc/{self.pid}/smaps_rollup") as file:
            return int(re.search(r"^Rss:\s+(\d+)", file.read(), re.MULTILINE).group(1))

    def mappings(self):
        """All but those that move: the heap, and the page where the kernel steps over breakpoints."""
        with open(f"/proc/{self.pid}/maps") as file:
            return [line for line in file if not line.endswith(("[heap]\n", "[uprobes]\n"))]

    def probes(self):
        return breakpoints(self.pid, self.own_libssl) if self.own_libssl else 0


def start_clients(bench, until):
    plan = lambda: bench.write_plan(unique((plans.basic() + plans.tools() + [echo("Back")]) * 5))
    library = lambda: os.path.join(copy_libssl(bench), "libssl.so.3")
    clients = [Client(bench, "openssl", [openssl_client(bench), "echo", str(bench.provider.port), bench.provider.ca,
                                         "0", "3000"], until, library()),
               Client(bench, "python", [PYTHON, f"{CLIENTS}/client.py", "connection", plan(), "2"], until, library())]
    if shutil.which("node"):
        clients.append(Client(bench, "node", ["node", f"{CLIENTS}/client.js", plan()], until))
    for name, kind, version in (("bun", runtimes.bun, "1.3.12"), ("bun-1.4", runtimes.bun, "1.4.5"),
                                ("deno", runtimes.deno, "2.9.6")):
        try:
            runtime = kind(bench, version)
        except Skip as reason:
            print(f"     without {name}: {reason}", flush=True)
        else:
            command = [*runtime.command, f"{CLIENTS}/fetch.mjs", plan()]
            clients.append(Client(bench, name, command, until, **runtime.environment))
    return clients


class Truth:
    """What the provider has answered so far, by the request's body."""

    def __init__(self, provider):
        self.provider = provider
        self.offset = os.path.getsize(provider.log) if os.path.exists(provider.log) else 0
        self.by_body = {}
        self.lock = threading.Lock()

    def of(self, body):
        with self.lock:
            with open(self.provider.log, "rb") as file:
                file.seek(self.offset)
                lines = file.read()
            lines = lines[:lines.rfind(b"\n") + 1]
            self.offset += len(lines)
            for line in lines.splitlines():
                entry = json.loads(line)
                self.by_body[base64.b64decode(entry["request_body"])] = entry
            return self.by_body.get(body)


class Cycles:
    """Recordings of some clients, of which several run at once."""

    def __init__(self, bench, clients):
        self.bench = bench
        self.clients = clients
        self.truth = Truth(bench.provider)
        self.temporary = os.path.join(bench.folder, "temporary")
        os.mkdir(self.temporary)
        self.left = CYCLES
        self.lock = threading.Lock()
        self.kernel = {"prog": set(), "map": set(), "link": set()}  # ids of all that the recordings made
        self.probes_seen = self.exchanges = self.killed = 0
        self.problems = []

    def run(self):
        workers = [threading.Thread(target=self.work) for _ in range(AT_ONCE)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        check(not self.problems, f"{len(self.problems)} problems: {'; '.join(self.problems[:3])}")

    def work(self):
        while not self.problems:
            with self.lock:
                if self.left == 0:
                    return
                self.left -= 1
                client = chance.choice(self.clients)
                seconds = chance.uniform(0, 0.4)
                killed = self.left % KILLED_EACH == 0
                how = signal.SIGKILL if killed else chance.choice((signal.SIGINT, signal.SIGTERM))
            try:
                self.cycle(client, seconds, how)
            except Exception as reason:  # Told by run(), in the thread that counts.
                self.problems.append(f"{type(reason).__name__} {reason}")

    def cycle(self, client, seconds, how):
        recording = self.bench.start(["--pid", str(client.pid)], cwd=self.temporary,
                                     env=self.bench.environment(TMPDIR=self.temporary)).ready()
        time.sleep(seconds)
        self.note_kernel()
        self.probes_seen += client.probes() > 0
        if how == signal.SIGKILL:
            self.killed += 1
            recording.kill_all()
            recording.process.wait(10)
        else:
            os.kill(recording.pid, how)
            status = recording.wait()
            check(status in (0, 128 + how), f"status {status}: {recording.text()[-1000:]}")
            self.compare(recording)
        os.unlink(recording.file)
        self.bench.recordings.remove(recording)
        if CYCLES - self.left == max(CYCLES // 10, 3):
            for one in self.clients:
                one.first_kib = one.first_kib or one.kib()

    def note_kernel(self):
        programs = [program for program in bpf_listed("prog") if launcher_of(program)]
        self.kernel["prog"] |= {program["id"] for program in programs}
        self.kernel["map"] |= {number for program in programs for number in program.get("map_ids", [])}
        self.kernel["link"] |= {link["id"] for link in bpf_listed("link") if link.get("prog_id") in self.kernel["prog"]}

    def kernel_left(self):
        return [f"{kind} {one['id']} {one.get('name', '')}" for kind, ids in self.kernel.items()
                for one in bpf_listed(kind) if one["id"] in ids]

    def compare(self, recording):
        """What it has seen whole is what was sent; what it joined or left in the middle says so."""
        events = recording.events()
        loss = next(event["data"] for event in reversed(events) if event["event_type"] == "sensor.loss")
        check((loss["lost"], loss["unexplained"]) == (0, 0), f"loss: {loss}")
        check(events[-1]["event_type"] == "sensor.stop",
              f"the last event is {events[-1]['event_type']}: {recording.text()[-1000:]}")
        whole = lambda event: "incomplete" not in event["ext"]["oisp_sensor"]
        requests = {event["data"]["request_id"]: event for event in events
                    if event["event_type"] == "ai.request" and whole(event)}
        for event in events:
            request = requests.get(event["data"].get("request_id")) if event["event_type"] == "ai.response" else None
            if request and whole(event):
                body = body_of(request)
                entry = wait_for(lambda: self.truth.of(body), f"the provider's own word of {body[-100:]!r}")
                compare_exchange(entry, body, request, event, None)
                self.exchanges += 1


@case
def attach_cycles(bench):
    until = os.path.join(bench.folder, "until")
    clients = start_clients(bench, until)
    wait_for(lambda: all("libssl" in "".join(client.mappings()) for client in clients if client.own_libssl), "the clients")
    time.sleep(1)  # until they are in their stride
    before = {client.name: client.mappings() for client in clients}
    cycles = Cycles(bench, clients)
    cycles.run()
    for client in clients:
        check(client.process.poll() is None, f"{client.name} ended with {client.process.returncode}")
        wait_for(lambda: not client.probes(), f"the probes in {client.name} to go")
    wait_for(lambda: not cycles.kernel_left(), "the kernel to let go of programs, maps and links")
    check(cycles.probes_seen > 0, "no probe was ever seen in a client")
    check(cycles.exchanges > 0, "no exchange was ever recorded whole")
    check(not os.listdir(cycles.temporary), f"files are left: {os.listdir(cycles.temporary)}")
    growth = {client.name: client.kib() - client.first_kib for client in clients}
    for client in clients:
        check(growth[client.name] <= MOST_GROWTH_KIB[client.name], f"{client.name} grew by {growth[client.name]} KiB")
    check(clients[0].mappings() == before["openssl"], "the client's mappings are others than before")
    end_clients(bench, clients, until)
    print(f"     {CYCLES} recordings, {cycles.killed} of them killed; {cycles.exchanges} exchanges compared; "
          f"growth in KiB {growth}", flush=True)


def end_clients(bench, clients, until):
    """Their own words: every byte was right, and they end well."""
    open(until, "w").close()
    sent = 0
    for client in clients:
        said = client.process.communicate(timeout=60)[0].decode()
        check(client.process.returncode == 0, f"{client.name} ended with {client.process.returncode}: {said}")
        numbers = COUNTS.search(said)
        check(numbers, f"{client.name} said {said}")
        good, of, answers = numbers.groups()
        check(good == of, f"{client.name} was harmed: {said}")
        sent += int(of or answers)
    bench.provider.entries(sent)
