"""Real clients that go on until they are told to stop. What they say then is how much the provider has to have seen."""

import json
import os
import re
import shutil

import plans
from harness import CLIENTS, check, copy_libssl, descendants, openssl_client, wait_for

PYTHON = "/usr/bin/python3"
COUNTS = re.compile(r"(\d+) of (\d+) whole|(\d+) answers")


def breakpoints(pid, library):
    """How many bytes of a library's code are others in a process than in the file: where probes are. Nobody else
    probes a file that is ours alone."""
    different = 0
    try:
        with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb") as memory, open(library, "rb") as file:
            for line in maps:
                addresses, rights, offset, _, _, *path = line.split()
                if path != [library] or "x" not in rights:
                    continue
                begin, end = (int(word, 16) for word in addresses.split("-"))
                memory.seek(begin)
                file.seek(int(offset, 16))
                there = file.read(end - begin)
                different += sum(a != b for a, b in zip(memory.read(len(there)), there))
    except (OSError, ValueError):
        return 0  # it has ended
    return different


def pid_with(library, pids):
    """Which of the processes has mapped that file."""
    for pid in pids:
        try:
            with open(f"/proc/{pid}/maps") as file:
                if library in file.read():
                    return pid
        except OSError:
            pass
    return None


def steady_plan():
    """Every kind of exchange that a client outlives; big ones among them, but not most of them."""
    return (plans.basic() + plans.tools() + plans.shapes()) * 2 + plans.big()


def unique(plan):
    """The same steps with questions of their own."""
    text = json.dumps(plan)
    return json.loads(re.sub(r"question \d+", lambda _: f"question {next(plans.numbers)}", text))


class Load:
    """The clients of one recording, as one command. A line on its standard input is a folder with a libssl of its
    own, for a client that waits until `go` lies there."""

    def __init__(self, bench, pause=0.02):
        self.bench = bench
        self.until = os.path.join(bench.folder, f"until-{bench.next_number()}")
        self.environment = bench.environment(UNTIL=self.until, PAUSE=str(pause), PAUSE_MS=str(int(1000 * pause)))
        self.waiting = {}  # folder -> probes at the last look
        self.used = []     # folders whose client has been let go
        self.clients = [f"{PYTHON} {CLIENTS}/client.py connection {self.plan()} 2",
                        f"PAUSE=0.3 {PYTHON} {CLIENTS}/client.py fork {self.plan()}",
                        f"{openssl_client(bench)} nonblock {bench.provider.port} {bench.provider.ca} 0 30000"]
        self.streams = 4  # exchanges at once, besides those of the folders
        if shutil.which("node"):
            self.clients.append(f"node {CLIENTS}/client.js {self.plan()}")
            self.streams += 1

    def plan(self):
        return self.bench.write_plan(unique(steady_plan()))

    def command(self):
        own = (f"while read folder; do ( while [ ! -e $folder/go ]; do sleep 0.3; done | env -u UNTIL "
               f"LD_LIBRARY_PATH=$folder {openssl_client(self.bench)} wait {self.bench.provider.port} "
               f"{self.bench.provider.ca} 2 1000 || echo FAILED ) & done")
        return ["sh", "-c", "\n".join([f"{client} || echo FAILED &" for client in self.clients] + [own, "wait"])]

    def start(self):
        self.recording = self.bench.start(["--", *self.command()], env=self.environment).ready()
        return self.recording

    # Libraries of their own, which come and go.

    def add_library(self):
        """A client with a library that was never seen. It waits until let_go() finds it probed."""
        folder = copy_libssl(self.bench)
        self.waiting[folder] = 0
        self.recording.process.stdin.write(folder.encode() + b"\n")
        self.recording.process.stdin.flush()

    def let_go(self):
        """Lets those clients run whose library is probed, where there are probes, and as many as at the last look."""
        pids = descendants(self.recording.pid)
        for folder, before in list(self.waiting.items()):
            library = os.path.join(folder, "libssl.so.3")
            pid = pid_with(library, pids)
            self.waiting[folder] = breakpoints(pid, library) if pid else 0
            if before and self.waiting[folder] == before:
                open(os.path.join(folder, "go"), "w").close()
                del self.waiting[folder]
                self.used.append(folder)

    def remove_used(self):
        """Takes those libraries away whose client has ended."""
        pids = descendants(self.recording.pid)
        for folder in [folder for folder in self.used if not pid_with(folder, pids)]:
            self.used.remove(folder)
            shutil.rmtree(folder)

    def all_gone(self):
        self.let_go()
        return not self.waiting or self.recording.process.poll() is not None

    def stop(self):
        """Ends the clients and the recording; what the provider logged of them."""
        wait_for(self.all_gone, "the libraries to be probed")
        open(self.until, "w").close()
        status = self.recording.wait(seconds=180)
        said = self.recording.stdout.decode()
        check(status == 0, f"status {status}: {self.recording.text()[-1500:]}")
        check("FAILED" not in said, f"clients were harmed: {said}")
        whole = sent = 0
        for good, of, answers in COUNTS.findall(said):
            whole, sent = whole + int(good or answers), sent + int(of or answers)
        check(whole == sent > 0, f"clients were harmed: {said}")
        return self.bench.provider.entries(sent)
