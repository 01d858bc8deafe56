"""What the sensor says before anything is captured (ssl-info, check and diagnose; as root, and as a user without any right), and
which application it says a process is."""

import contextlib
import json
import os
import pwd
import shutil
import subprocess

import plans
from compare import compare, compare_run
from harness import CLIENTS, LIBRARIES, PATIENCE_S, Skip, case, check, copy_libssl, need, openssl_client

NOBODY = pwd.getpwnam("nobody")
WRITES = {"read", "write"}


def as_user(user):
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}


def ask(bench, *arguments, plain=False):
    """Runs the sensor, without a terminal that sudo could ask on; its result. `plain`: as a user who may do nothing."""
    program = open_copy(bench) if plain else bench.sensor
    return subprocess.run([program, *arguments], text=True, capture_output=True, timeout=PATIENCE_S, cwd="/",
                          env=bench.environment(), start_new_session=True, **as_user(NOBODY if plain else None))


def open_copy(bench):
    """The built programs where everybody may execute them."""
    folder = os.path.join(bench.folder, "build")
    if not os.path.exists(folder):
        os.mkdir(folder, 0o755)
        for name in ("oisp-sensor", "oisp-elf-scanner"):
            shutil.copy(os.path.join(bench.build, name), folder)
            os.chmod(os.path.join(folder, name), 0o755)
    return os.path.join(folder, "oisp-sensor")


def told(result):
    """The lines of JSON, by path."""
    check("Traceback" not in result.stderr, result.stderr)
    return {entry["path"]: entry for entry in map(json.loads, result.stdout.splitlines())}


@contextlib.contextmanager
def waiting_client(bench, user=None, **more):
    """A process that has libssl mapped and does nothing."""
    need("/usr/bin/python3")
    command = ["/usr/bin/python3", "-c", "import ssl; print('there', flush=True); input()"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/",
                               env=bench.environment(**more), **as_user(user))
    try:
        check(process.stdout.readline() == b"there\n", "the client did not start")
        yield process
    finally:
        process.kill()
        process.communicate()


@case
def ssl_info_of_files(bench):
    library = os.path.realpath(os.path.join(LIBRARIES, "libssl.so.3"))
    if not os.path.exists(library):
        raise Skip(f"no {library}")
    for plain in (False, True):
        result = ask(bench, "ssl-info", "--format", "json", library, "true", "/etc/passwd", plain=plain)
        check(result.returncode == 0, f"status {result.returncode}: {result.stderr}")
        entries = told(result)
        found = entries[library]
        check(found["outcome"] == "found" and found["family"].startswith("OpenSSL 3"), f"it says: {found}")
        check({site["role"] for site in found["sites"]} >= WRITES, f"sites: {found['sites']}")
        check(entries[os.path.realpath(shutil.which("true"))]["outcome"] == "none", f"it says: {entries}")
        check(entries["/etc/passwd"]["outcome"] == "unsupported", f"it says: {entries}")
        check(library in ask(bench, "ssl-info", plain=plain).stdout, "the system's own library is not listed")
        text = ask(bench, "ssl-info", "--detailed", library, plain=plain).stdout
        check("handshake" in text and "0x" in text, f"it says: {text}")


@case
def ssl_info_says_why_not(bench):
    fifo = os.path.join(bench.folder, "fifo")
    os.mkfifo(fifo)
    for path in ("/nonexistent", "no-such-program-anywhere", "/etc", fifo):
        result = ask(bench, "ssl-info", path)
        check(result.returncode == 1 and path in result.stderr and not result.stdout, f"{path}: {result}")
    result = ask(bench, "ssl-info", "/etc/shadow", "true", plain=True)
    check(result.returncode == 1 and "denied" in result.stderr, f"it says: {result}")
    check("true" in result.stdout, "one that cannot be read hides the others")
    hostile = os.path.join(bench.folder, "bad\x1b[31m")
    with open(hostile, "wb") as file:
        file.write(b"\x7fELF" + bytes(range(256)) * 64)
    result = ask(bench, "ssl-info", hostile)
    check("\x1b" not in result.stdout + result.stderr, "a file's name reached the terminal as it is")
    check(ask(bench, "ssl-info", "--", "true").returncode == 2, "a command is no option of ssl-info")


@case
def ssl_info_of_a_process(bench):
    folder = copy_libssl(bench)
    library = os.path.join(folder, "libssl.so.3")
    with waiting_client(bench, LD_LIBRARY_PATH=folder) as client:
        entries = told(ask(bench, "ssl-info", "--pid", str(client.pid), "--format", "json"))
        check(entries.get(library, {}).get("outcome") == "found", f"it says: {entries}")
        os.remove(library)  # root sees it all the same
        entries = told(ask(bench, "ssl-info", "--pid", str(client.pid), "--format", "json"))
        check(entries.get(library, {}).get("outcome") == "found", f"of a deleted file it says: {entries}")
        result = ask(bench, "ssl-info", "--pid", str(client.pid), plain=True)
        check(result.returncode == 3 and "sudo" in result.stderr, f"of another's process: {result}")
    result = ask(bench, "ssl-info", "--pid", str(client.pid))
    check(result.returncode == 1 and str(client.pid) in result.stderr, f"of one that is gone: {result}")
    with waiting_client(bench, user=NOBODY) as client:
        result = ask(bench, "ssl-info", "--pid", str(client.pid), plain=True)
        check(result.returncode == 0 and "OpenSSL 3" in result.stdout, f"of an own process: {result}")


def points(result):
    """The JSON of check, its points by name."""
    answer = json.loads(result.stdout)
    check(answer["exit_status"] == result.returncode, f"status {result.returncode}, but {answer}")
    check(answer["ready"] == (result.returncode == 0), f"it says: {answer}")
    return {point["name"]: point for point in answer["points"]}


@case
def check_says_ready_where_recording_works(bench):
    result = ask(bench, "check")
    check(result.returncode == 0 and result.stdout.endswith("\nREADY\n"), f"it says: {result}")
    for name, point in points(ask(bench, "check", "--format", "json")).items():
        check(point["verdict"] in ("ok", "less") and point["found"], f"{name}: {point}")
    check(ask(bench, "check", "--", "true").returncode == 2, "check runs no command")


@case
def check_says_what_is_missing(bench):
    # A user without rights and without a terminal, and a part that is not there.
    result = ask(bench, "check", plain=True)
    check(result.returncode == 3 and result.stdout.endswith("\nNOT READY\n"), f"as nobody: {result}")
    found = points(ask(bench, "check", "--format", "json", plain=True))
    check(found["rights"]["verdict"] == "NO" and found["rights"]["advice"], f"as nobody: {found['rights']}")
    check(found["installation"]["verdict"] == "NO" and "oisp-launcher" in found["installation"]["found"],
          f"installation: {found['installation']}")
    # What record would end with, too.
    need("unshare", "setpriv")
    for prefix, status, name in ((["unshare", "--pid", "--fork", "--mount-proc"], 4, "pid namespace"),
                                 (["setpriv", "--bounding-set", "-bpf"], 3, "rights")):
        asked = [[*prefix, bench.sensor, *words] for words in (["check", "--format", "json"], ["record", "--", "true"])]
        answer, recorded = (subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S,
                                           env=bench.environment()) for command in asked)
        check(answer.returncode == status == recorded.returncode, f"{prefix}: {answer} {recorded}")
        check(points(answer)[name]["verdict"] == "NO", f"{prefix}: {answer.stdout}")


@case
def diagnose_says_why(bench):
    with waiting_client(bench) as client:
        result = ask(bench, "diagnose", "--pid", str(client.pid))
        check(result.returncode == 0 and "\nSEEN" in result.stdout and "libssl" in result.stdout, f"it says: {result}")
        result = ask(bench, "diagnose", "--pid", str(client.pid), plain=True)
        check(result.returncode == 3 and "sudo" in result.stderr, f"of another's process: {result}")
    sleeper = subprocess.Popen(["sleep", "60"])
    result = ask(bench, "diagnose", "--pid", str(sleeper.pid))
    sleeper.kill()
    sleeper.wait()
    check(result.returncode == 1 and "\nNOT SEEN" in result.stdout, f"of sleep: {result}")
    result = ask(bench, "diagnose", "--", "python3", "agent.py")
    check(result.returncode == 0 and "libssl" in result.stdout, f"of a command: {result}")
    result = ask(bench, "diagnose", "--", "python3", plain=True)
    check(result.returncode == 3 and "NO" in result.stdout, f"where nothing can be recorded: {result}")
    check(ask(bench, "diagnose", "--", "no-such-program").returncode == 127, "a command that is not there")
    for wrong in ([], ["--pid", "1", "--", "true"]):
        check(ask(bench, "diagnose", *wrong).returncode == 2, f"usage: {wrong}")


def apps_of(recording, kind):
    return {event["app"].get("app_id"): event["app"] for event in recording.events(kind)}


@case
def app_on_events(bench):
    """A script by the name of an agent, which an interpreter runs, and a program by the name of a model server."""
    folder = os.path.join(bench.folder, "bin")
    os.mkdir(folder)
    script = os.path.join(folder, "aider")
    with open(script, "w") as file:
        file.write("#!/usr/bin/python3\nimport runpy, sys\n"
                   f"runpy.run_path({os.path.join(CLIENTS, 'client.py')!r}, run_name='__main__')\n")
    os.chmod(script, 0o755)
    plan = plans.basic()
    recording = bench.record([script, "connection", bench.write_plan(plan)])
    compare_run(bench, recording, len(plan))
    whole = {"app_id": "aider", "name": "aider", "vendor": "Aider AI", "category": "cli", "tier": "identified",
             "is_ai_app": True, "is_ai_host": False}
    for kind in ("process.exec", "ai.request", "ai.response"):
        check(apps_of(recording, kind) == {"aider": whole}, f"{kind}: {apps_of(recording, kind)}")

    server = os.path.join(folder, "ollama")
    shutil.copy(openssl_client(bench), server)
    recording = bench.record(["sh", "-c", '"$0" blocking "$@"; true', server, str(bench.provider.port),
                              bench.provider.ca, "2", "100"])
    compare(recording, bench.provider.entries(2))
    check(set(apps_of(recording, "ai.request")) == {"ollama"}, f"apps: {apps_of(recording, 'ai.request')}")
    execs = apps_of(recording, "process.exec")
    check(execs.get(None) == {"tier": "unknown"}, f"the shell is no application: {execs}")
