"""What the end-to-end and fault cases share: the provider, a recording, and the comparison of the two.

A case is a function marked with @case that takes a Bench. It fails by an exception; `check` is the one way
to assert. Skip("reason") skips it, with the reason printed.
"""

import collections
import ctypes
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
CLIENTS = os.path.join(HERE, "clients")
LIBRARIES = "/usr/lib/x86_64-linux-gnu"
sys.path.insert(0, os.path.join(ROOT, "demo"))
import answers  # noqa: E402,F401  (the provider's own answers say what has to be in the events)
import dialects  # noqa: E402,F401

# Made up; they must never appear in anything that the sensor writes.
OPENAI_KEY = "sk-proj-e2e" + "Hq9" * 8 + "T3BlbkFJ" + "v2L" * 9
ANTHROPIC_KEY = "sk-ant-api03-e2e" + "Wd7k" * 22 + "-3xAA"
AWS_KEY = "AKIA" + "QZ7RMT4XW2PLE2E9"
SECRETS = [OPENAI_KEY, ANTHROPIC_KEY, AWS_KEY]

FIRST_ROLE_UID = 0x70000000
# For what takes a second; a machine under load takes longer, an emulated one (tests/vm) longer still.
PATIENCE_S = int(os.environ.get("OISP_PATIENCE_S") or 60)
# "perf": recordings do without uprobe_multi, as on a kernel that lacks it.
UPROBES = os.environ.get("OISP_TEST_UPROBES")

CASES = []


class Skip(Exception):
    """The case cannot run here; the text says why."""


class Failure(Exception):
    """A check did not hold."""


def case(function):
    CASES.append(function)
    return function


def check(condition, message):
    if not condition:
        raise Failure(message)


def wait_for(condition, what, seconds=PATIENCE_S):
    """The first true value of condition(), or a failure."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        check(time.monotonic() < end, f"waited {seconds} s in vain for {what}")
        time.sleep(0.02)


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            raise Skip(f"{program} is not installed")


def openssl_client(bench):
    """The test's own client, on OpenSSL's calls."""
    program = os.path.join(bench.build, "tests/end-to-end/test-openssl-client")
    if not os.path.exists(program):
        raise Skip("the build has no test-openssl-client (libssl-dev is not installed)")
    return program


def copy_libssl(bench):
    """A folder with a copy of the library, which no sensor has seen: another inode."""
    folder = os.path.join(bench.folder, f"library-{bench.next_number()}")
    os.mkdir(folder)
    for name in ("libssl.so.3", "libcrypto.so.3"):
        if not os.path.exists(os.path.join(LIBRARIES, name)):
            raise Skip(f"no {name} in {LIBRARIES}")
        shutil.copy(os.path.join(LIBRARIES, name), folder)
    return folder


# Processes.

def processes():
    """pid -> (ppid, comm, uid) of all that live (zombies are not counted)."""
    found = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat") as file:
                stat = file.read()
            uid = os.stat(f"/proc/{name}").st_uid
        except OSError:
            continue
        comm = stat[stat.index("(") + 1:stat.rindex(")")]
        state, ppid = stat[stat.rindex(")") + 2:].split()[:2]
        if state not in "ZX":
            found[int(name)] = (int(ppid), comm, uid)
    return found


def descendants(pid, table=None):
    table = table or processes()
    found = []
    for child, (ppid, _, _) in table.items():
        if ppid == pid:
            found += [child, *descendants(child, table)]
    return found


def roles(pid):
    """Name of the program -> pid of the sensor's own processes below `pid`. The kernel's own name of a process is
    too short for some. Parents come first: a role that the launcher has forked bears its name until it is
    executed."""
    found = {}
    for child in descendants(pid):
        try:
            with open(f"/proc/{child}/cmdline", "rb") as file:
                name = os.path.basename(file.read().split(b"\0")[0]).decode(errors="replace")
        except OSError:
            continue
        if name.startswith("oisp-"):
            found.setdefault(name, child)
    return found


def become_subreaper():
    """Orphans of what we start become our children, so that nothing that is left behind goes unseen."""
    pr_set_child_subreaper = 36
    ctypes.CDLL(None).prctl(pr_set_child_subreaper, 1, 0, 0, 0)


# pid -> when it was last seen alive, of the launchers below our recordings: other sensors of this machine are not
# ours to judge.
LAUNCHERS = {}


def note_launcher(pid):
    """Notes the launcher below `pid`, if there is one."""
    launcher = roles(pid).get("oisp-launcher")
    if launcher:
        LAUNCHERS[launcher] = time.time()


def bpf_listed(kind):
    """What the kernel has of `prog`, `map` or `link`, of everybody."""
    tool = shutil.which("bpftool") or "/usr/sbin/bpftool"
    if not os.path.exists(tool):
        return []
    return json.loads(subprocess.run([tool, "-j", kind, "show"], capture_output=True).stdout or b"[]")


def launcher_of(program):
    """The pid of the launcher whose role has loaded a BPF program, if it is one of ours. The pid alone does not say
    so: numbers come again, and another sensor's launcher may have it by now."""
    pid = (program.get("uid", 0) - FIRST_ROLE_UID) // 16
    return pid if program.get("loaded_at", 0) <= LAUNCHERS.get(pid, -1) else None


def bpf_left_over():
    """Programs of our sensors whose launcher does not live any more."""
    listed = bpf_listed("prog")
    table = processes()
    return [f"{program['type']} {program.get('name', '')} of launcher {launcher}" for program in listed
            if (launcher := launcher_of(program)) and table.get(launcher, (0, "", 0))[1] != "oisp-launcher"]


# The provider.

class Provider:
    def __init__(self, folder, prefix=(), options=()):
        self.log = os.path.join(folder, "exchanges.jsonl")
        command = [*prefix, sys.executable, os.path.join(ROOT, "demo", "provider.py"), "--until-eof", "--log", self.log,
                   *options]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        word, port, self.ca = self.process.stdout.readline().split()
        check(word == "ready", "the provider did not start")
        self.port = int(port)
        self.url = f"{'http' if self.ca == '-' else 'https'}://localhost:{port}"
        self.read = 0

    def lines(self):
        """What was logged since the last entries()."""
        try:
            with open(self.log) as file:
                return file.read().splitlines()[self.read:]
        except FileNotFoundError:
            return []

    def logged(self):
        return len(self.lines())

    def entries(self, count):
        """The next `count` exchanges that were logged, in the order of their arrival; and there are no more."""
        wait_for(lambda: self.logged() >= count, f"{count} exchanges at the provider", PATIENCE_S / 6)
        found = [{**json.loads(line), "logged": place} for place, line in enumerate(self.lines())]
        self.read += len(found)
        check(len(found) == count, f"the provider saw {len(found)} exchanges, not {count}")
        return sorted(found, key=lambda entry: entry["order"])

    def skip(self):
        """Forgets what was logged so far: it belongs to a case that has ended."""
        if os.path.exists(self.log):
            with open(self.log) as file:
                self.read = len(file.read().splitlines())

    def stop(self):
        self.process.stdin.close()
        self.process.wait(10)


# A recording.

class Recording:
    """A run of `oisp-sensor record`. Its output is read when it has ended."""

    def __init__(self, bench, arguments, user=None, prefix=(), output=True, **popen):
        self.bench = bench
        self.file = os.path.join(bench.folder_of(user), f"events-{bench.next_number()}.jsonl")
        options = ["--bodies", "-o", self.file] if output else []
        options += ["--uprobes", UPROBES] if UPROBES else []
        self.command = [*prefix, popen.pop("program", bench.sensor), "record", *options, *arguments]
        for name in ("stdin", "stdout", "stderr"):
            popen.setdefault(name, subprocess.PIPE)
        if user:
            popen.update(user=user.pw_uid, group=user.pw_gid, extra_groups=[user.pw_gid])
        # A process group of its own, as a shell's job has.
        self.process = subprocess.Popen(self.command, env=popen.pop("env", bench.environment()),
                                        start_new_session=True, **popen)
        self.pid = self.process.pid
        self.stderr = b""
        self.stdout = b""
        self.readers = [threading.Thread(target=self.drain, args=(name,), daemon=True)
                        for name in ("stdout", "stderr") if getattr(self.process, name)]
        for reader in self.readers:
            reader.start()

    def drain(self, name):
        pipe = getattr(self.process, name)
        while data := os.read(pipe.fileno(), 65536):
            setattr(self, name, getattr(self, name) + data)

    def ready(self):
        """Waits until it watches: the view's first line."""
        wait_for(lambda: b"watching" in self.stderr or self.process.poll() is not None, "the line `watching …`")
        note_launcher(self.pid)
        check(self.process.poll() is None, f"it ended instead of watching: {self.text()}")
        return self

    def text(self):
        return self.stderr.decode(errors="replace").strip()

    def wait(self, data=None, seconds=PATIENCE_S):
        """Its exit status, once it has ended and all that it wrote was read."""
        if self.process.stdin:
            try:
                self.process.stdin.write(data or b"")
                self.process.stdin.close()
            except BrokenPipeError:
                pass
        try:
            self.wait_and_watch(seconds)
        except subprocess.TimeoutExpired:
            state = {pid: processes().get(pid) for pid in [self.pid, *descendants(self.pid)]}
            self.kill_all()
            raise Failure(f"it did not end in {seconds} s; processes: {state}; it said: {self.text()[-2000:]}") from None
        for reader in self.readers:
            reader.join(5)
        for secret in SECRETS:
            check(secret.encode() not in self.stderr, "a secret is in the view")
            check(not os.path.exists(self.file) or secret.encode() not in open(self.file, "rb").read(),
                  "a secret is in the file")
        return self.process.returncode

    def wait_and_watch(self, seconds=0.0):
        """Waits for the end, and notes the launcher on the way."""
        end = time.monotonic() + seconds
        while True:
            note_launcher(self.pid)
            try:
                return self.process.wait(0.1)
            except subprocess.TimeoutExpired:
                if time.monotonic() > end:
                    raise

    def kill_all(self, number=signal.SIGKILL):
        for pid in [self.pid, *descendants(self.pid)]:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def events(self, kind=None):
        with open(self.file) as file:
            events = [json.loads(line) for line in file]
        return [event for event in events if kind is None or event["event_type"] == kind]


    def responses(self):
        """The answers to the ai.requests: those to embeddings are events of their own."""
        return [event for event in self.events() if event["event_type"] in ("ai.response", "ai.embedding")]


class Bench:
    """What a case gets."""

    def __init__(self, build, folder, provider):
        self.build = os.path.abspath(build)
        self.sensor = os.path.join(self.build, "oisp-sensor")
        self.folder = folder
        self.provider = provider
        self.numbers = itertools.count(1)
        self.recordings = []

    def next_number(self):
        return next(self.numbers)

    def folder_of(self, user):
        return user.pw_dir if user else self.folder

    def environment(self, **more):
        kept = {name: os.environ[name] for name in ("HOME", "PATH", "LANG", "TMPDIR") if name in os.environ}
        return {**kept, "DEMO_URL": self.provider.url, "DEMO_CA": self.provider.ca,
                "OPENAI_API_KEY": OPENAI_KEY, "ANTHROPIC_API_KEY": ANTHROPIC_KEY, **more}

    def start(self, arguments, **options):
        recording = Recording(self, arguments, **options)
        self.recordings.append(recording)
        return recording

    def record(self, command, options=(), data=None, **more):
        """Records a command to its end."""
        recording = self.start([*options, "--", *command], **more)
        recording.status = recording.wait(data)
        return recording

    def write_plan(self, plan):
        name = os.path.join(self.folder, f"plan-{self.next_number()}.json")
        with open(name, "w") as file:
            json.dump(plan, file)
        os.chmod(name, 0o644)
        return name

    def story(self):
        """What the last recording said, for one who has to find out why it failed."""
        if not self.recordings or self.recordings[-1].process.poll() is None:
            return ""
        recording = self.recordings[-1]
        types = collections.Counter(event["event_type"] for event in recording.events()) \
            if os.path.exists(recording.file) else {}
        return f"\n    events: {dict(types)}\n    " + "\n    ".join(recording.text().splitlines()[-20:])

    def kill_helpers(self):
        """After a failure, the case's own programs (clients that wait, say) end, so that only the sensor's count."""
        for pid, (ppid, comm, _) in processes().items():
            if ppid == os.getpid() and pid != self.provider.process.pid and not comm.startswith("oisp-"):
                os.kill(pid, signal.SIGKILL)

    def clean(self):
        """After a case: nothing of it may be left."""
        for recording in self.recordings:
            if recording.process.poll() is None:
                recording.kill_all()
                recording.process.wait(10)
        self.recordings = []
        mine = os.getpid()

        def left():
            reap()
            table = processes()
            return [f"{table[pid][1]}[{pid}]" for pid in descendants(mine, table)
                    if pid != self.provider.process.pid] + bpf_left_over()

        # The kernel lets go of programs when all CPUs have come round: on a busy machine that takes its time.
        end = time.monotonic() + PATIENCE_S
        while (rest := left()) and time.monotonic() < end:
            time.sleep(0.1)
        for pid in descendants(mine):
            if pid != self.provider.process.pid:
                os.kill(pid, signal.SIGKILL)
        check(not rest, f"left behind: {', '.join(rest)}")


def reap():
    """Collects orphans that ended as our children."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def run_cases(build, wanted):
    """Runs all cases (or those whose names hold one of `wanted`); prints them and the count; exit status."""
    become_subreaper()
    # Who starts this in the background, or with nohup, ignores these, and every program below would with them.
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    passed = failed = 0
    folder = tempfile.mkdtemp(prefix="oisp-tests-")
    os.chmod(folder, 0o755)
    provider = Provider(folder)
    try:
        for function in CASES:
            name = function.__name__.replace("_", "-")
            if wanted and not any(word in name for word in wanted):
                continue
            own_folder = os.path.join(folder, name)
            os.mkdir(own_folder, 0o755)
            bench = Bench(build, own_folder, provider)
            started = time.monotonic()
            problems = []
            try:
                for step in (lambda: function(bench), bench.clean):
                    try:
                        step()
                    except Failure as reason:
                        problems.append(f"{reason}{bench.story()}")
                        bench.kill_helpers()
                    except (Skip, KeyboardInterrupt):
                        bench.clean()
                        raise
                    except Exception:  # A bug of a test is a failure of it, too.
                        problems.append(traceback.format_exc())
                        bench.kill_helpers()
            except Skip as reason:
                print(f"SKIP {name}: {reason}", flush=True)
            else:
                passed, failed = passed + (not problems), failed + bool(problems)
                word = "FAIL" if problems else "PASS"
                print(f"{word} {name} ({time.monotonic() - started:.1f} s) {'; then: '.join(problems)}".rstrip(), flush=True)
            provider.skip()
    finally:
        provider.stop()
        if os.environ.get("OISP_TEST_KEEP"):
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0
