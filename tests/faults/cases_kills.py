"""Processes of the sensor killed at random under load. The truth is the provider's log."""

import base64
import os
import random
import signal
import time

from compare import DIALECTS, body_of, compare, compare_exchange
from harness import case, check, roles, wait_for
from load import Load

SEED = int(os.environ.get("SEED") or time.time_ns() % 1000000)
KILLS = int(os.environ.get("KILLS") or 8)
chance = random.Random(SEED)

EXPORTERS = ["oisp-exporter-jsonl", "oisp-exporter-terminal"]
ROLES = ["oisp-probe-helper", "oisp-file-opener", *EXPORTERS]
SCANNER = "oisp-elf-scanner"
COLLECTOR = "oisp-collector"
# The launcher gives up at the fifth death within a minute.
MOST_DEATHS = 4


class Killer:
    """Kills processes of one recording, of each role no more than the launcher puts up with: first each of them
    once, then whichever."""

    def __init__(self, load, names, first=None):
        self.load = load
        self.first = first or chance.sample(names, len(names))
        self.left = {name: MOST_DEATHS for name in names}
        self.launcher = roles(load.recording.pid)["oisp-launcher"]
        self.killed = []
        self.answered = 0  # by the provider, before the last kill

    def next(self):
        """Kills one of them; the name, or nothing where all have had their share."""
        names = [name for name, left in self.left.items() if left]
        if not names:
            return None
        name = self.first.pop() if self.first else chance.choice(names)
        self.left[name] -= 1
        time.sleep(chance.uniform(0, 0.6))
        if name == SCANNER:
            self.kill_scanner()
        else:
            pid = wait_for(lambda: roles(self.load.recording.pid).get(name), name)
            self.answered = self.load.bench.provider.logged()
            os.kill(pid, signal.SIGKILL)
            self.killed.append(name)
        return name

    def kill_scanner(self):
        """A new library brings scanners, which live for some milliseconds: not each is caught."""
        self.load.add_library()
        end = time.monotonic() + 5
        while time.monotonic() < end:
            with open(f"/proc/{self.launcher}/task/{self.launcher}/children") as file:
                children = file.read().split()
            for child in reversed(children):
                if self.is_scanner(child):
                    os.kill(int(child), signal.SIGKILL)
                    return self.killed.append(SCANNER)

    @staticmethod
    def is_scanner(pid):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                return os.path.basename(file.read().split(b"\0")[0]) == SCANNER.encode()
        except OSError:
            return False


def tell(killed, more=""):
    counts = ", ".join(f"{name} {killed.count(name)}" for name in sorted(set(killed)))
    print(f"     {len(killed)} killed: {counts}{more}", flush=True)


@case
def random_kills(bench):
    """Of helper, opener, scanners and exporters, in as many recordings as it takes: nothing is missing, nothing
    twice, all from the right pid."""
    killed = []
    while len(killed) < KILLS:
        load = Load(bench)
        load.start()
        killer = Killer(load, [*ROLES, SCANNER])
        while len(killed) + len(killer.killed) < KILLS and killer.next():
            load.let_go()
        entries = load.stop()
        compare(load.recording, entries)
        killed += killer.killed
    tell(killed)


def restarts(recording):
    """How many collectors have said that they are not the first one."""
    with open(recording.file, "rb") as file:
        return sum(b'"collector_restarted"' in line and b'"final":false' in line for line in file)


@case
def collector_kills(bench):
    """Of the collector, among others: what was open at that instant is missing or incomplete, and nothing else."""
    killed, damaged = [], 0
    while len(killed) < KILLS / 2:
        load = Load(bench)
        recording = load.start()
        killer = Killer(load, [COLLECTOR, *ROLES], first=[COLLECTOR, COLLECTOR])
        deaths = []  # (exchanges that had been answered by then, and when the next collector was there)
        while len(killed) + len(killer.killed) < KILLS / 2 and (name := killer.next()):
            if name == COLLECTOR:
                wait_for(lambda: restarts(recording) > len(deaths), "a new collector's word of it")
                deaths.append((killer.answered, bench.provider.logged()))
        entries = load.stop()
        damaged += compare_with_gaps(recording, entries, deaths, load.streams)
        killed += killer.killed
    tell(killed, f"; {damaged} exchanges were open at a collector's death")


def compare_with_gaps(recording, entries, deaths, streams):
    """How many exchanges are damaged."""
    events = recording.events()
    names = [event["event_id"] for event in events]
    check(len(set(names)) == len(names), "an event_id is used twice")
    losses = [event["data"] for event in events if event["event_type"] == "sensor.loss"]
    check(not any(loss["unexplained"] for loss in losses), f"unexplained: {losses}")
    check(restarts(recording) == len(deaths), f"{restarts(recording)} collectors told of {len(deaths)} deaths")
    check(events[-1]["event_type"] == "sensor.stop", f"the last event is {events[-1]['event_type']}")

    asked = [event["data"]["request_id"] for event in recording.events("ai.request")]
    answered = [event["data"]["request_id"] for event in recording.responses()]
    check(sorted(asked) == sorted(answered), f"requests {set(asked) - set(answered)} have no response, "
          f"responses {set(answered) - set(asked)} no request")
    expected = [entry for entry in entries if entry["path"] in DIALECTS]
    damaged = find_damaged(recording, expected)
    ring_was_full = any(row["cause"] == "ring full" for loss in losses for row in loss.get("causes", []))
    for entry in damaged:
        check(is_of_a_gap(entry, expected, damaged, deaths, streams) or
              ring_was_full and is_of_a_full_ring(entry, expected, deaths, streams),
              f"exchange {entry['order']} ({entry['how']}, answered as number {entry['logged']}) is damaged, "
              f"but was not open at any of {deaths}")
    return len(damaged)


def find_damaged(recording, expected):
    """Exchanges without a whole request and a whole response; all others have to be exact."""
    requests, responses = {}, {}
    for event in recording.events("ai.request"):
        if "incomplete" not in event["ext"]["oisp_sensor"]:
            body = body_of(event)
            check(body not in requests, f"a request is there twice: {body[-100:]!r}")
            requests[body] = event
    for event in recording.responses():
        name = event["data"]["request_id"]
        check(name not in responses, f"two responses to request {name}")
        responses[name] = event
    damaged = []
    for entry in expected:
        body = base64.b64decode(entry["request_body"])
        request = requests.pop(body, None)
        response = request and responses.pop(request["data"]["request_id"], None)
        if response and (not entry["complete"] or "incomplete" not in response["ext"]["oisp_sensor"]):
            compare_exchange(entry, body, request, response, None)
        else:
            damaged.append(entry)
    check(not requests, f"requests that nobody sent: {list(requests)[:3]}")
    return damaged


def is_of_a_gap(entry, expected, damaged, deaths, streams):
    """Whether it may have been on its way when a collector died: asked before the next one was there (as many as
    there are streams may have been asked and not answered then), and answered later than all that is whole of
    that connection."""
    for before, after in deaths:
        last_asked = max((one["order"] for one in expected if one["logged"] < after), default=0) + streams
        if entry["order"] > last_asked:
            continue
        later = [one for one in expected
                 if one["port"] == entry["port"] and one["order"] > entry["order"] and one["logged"] < before]
        if all(one in damaged for one in later):
            return True
    return False


def is_of_a_full_ring(entry, expected, deaths, streams):
    """Whether it was on its way or was dropped where none read the ring: behind it there came no more, until a new
    collector was there, than the ring and the channel hold."""
    for before, after in deaths:
        last_asked = max((one["order"] for one in expected if one["logged"] < after), default=0) + streams
        later = [one for one in expected if entry["logged"] < one["logged"] < before]
        held = sum(one["request_bytes"] + one["response_bytes"] for one in later)
        if entry["order"] <= last_asked and held <= 12 << 20:
            return True
    return False
