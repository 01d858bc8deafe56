"""How a session begins and ends: statuses, signals, what CMD sees, outputs that fail."""

import json
import os
import signal
import stat
import subprocess

import plans
from compare import check_ledgers, compare
from harness import CLIENTS, PATIENCE_S, Skip, bpf_left_over, case, check, need, processes, roles, wait_for


@case
def exit_statuses(bench):
    for command, expected in ((["sh", "-c", "exit 7"], 7), (["true"], 0), (["false"], 1),
                              (["/nonexistent/program"], 127), (["no-such-program-anywhere"], 127),
                              (["/etc/passwd"], 126), (["/"], 126), (["sh", "-c", "kill -9 $$"], 137)):
        recording = bench.record(command)
        check(recording.status == expected, f"{command} ended with {recording.status}, not {expected}: "
              f"{recording.text()}")
        if expected in (126, 127):
            check(os.path.basename(command[0]) in recording.text() or command[0] in recording.text(),
                  f"no sentence about {command}: {recording.text()}")


@case
def usage_errors(bench):
    for arguments in ([], ["--no-such-option", "--", "true"], ["--pid", "x"], ["--pid"], ["--format", "x", "--", "true"],
                      ["--pid", "1", "--", "true"]):
        recording = bench.start(arguments, output=False)
        status = recording.wait()
        check(status == 2, f"record {arguments} ended with {status}, not 2: {recording.text()}")
        check(recording.text(), f"record {arguments} says nothing")


@case
def pid_that_is_not_there(bench):
    gone = subprocess.Popen(["true"])
    gone.wait()
    recording = bench.start(["--pid", str(gone.pid)])
    status = recording.wait()
    check(status in (1, 2), f"status {status}")
    check(str(gone.pid) in recording.text(), f"it says: {recording.text()}")


@case
def command_is_untouched(bench):
    """Environment, folder, groups, standard streams, session of CMD are the user's."""
    script = "pwd; id; echo $OF_MINE; cat; echo of stderr >&2; ps -o ppid= -p $$; exit 3"
    recording = bench.start(["--", "sh", "-c", script], env=bench.environment(OF_MINE="a b"), cwd="/usr/share")
    status = recording.wait(b"typed\n")
    check(status == 3, f"status {status}")
    lines = recording.stdout.decode().splitlines()
    identity = subprocess.run(["id"], capture_output=True, text=True).stdout.strip()
    check(lines[:4] == ["/usr/share", identity, "a b", "typed"], f"CMD wrote {lines}")
    check(int(lines[4]) == recording.pid, f"CMD's parent is {lines[4]}, not the command line ({recording.pid})")
    check("of stderr" in recording.text(), "stderr of CMD is missing")
    check(stat.S_IMODE(os.stat(recording.file).st_mode) == 0o600, "the file's mode is not 0600")
    recording = bench.record(["env"], env={"PATH": "/usr/bin:/bin", "ONLY": "this"})
    words = set(recording.stdout.decode().split())
    check(words == {"PATH=/usr/bin:/bin", "ONLY=this"}, f"CMD's environment: {words}")


@case
def process_tree(bench):
    """Every exec and exit of the tree, and nothing else."""
    recording = bench.record(["sh", "-c", "/bin/echo one; (exec /bin/echo two words) & wait; sh -c 'exit 5'; true"])
    check(recording.status == 0, f"status {recording.status}")
    commands = [event["data"]["args"] for event in recording.events("process.exec")]
    for command in (["/bin/echo", "one"], ["/bin/echo", "two", "words"], ["sh", "-c", "exit 5"]):
        check(commands.count(command) == 1, f"{command} in {commands}")
    check(len(commands) == 4, f"execs: {commands}")
    codes = sorted(event["data"]["exit_code"] for event in recording.events("process.exit"))
    check(codes == [0, 0, 0, 5], f"exit codes: {codes}")


@case
def captured_nothing(bench):
    """A run in which there was nothing to see says what it did see."""
    recording = bench.record(["true"])
    coverage = check_ledgers(recording)
    check(coverage["processes"] == 1 and coverage["tls_connections"] == 0, f"coverage {coverage}")
    check("exit 0" in recording.text(), f"no summary: {recording.text()}")


@case
def format_json(bench):
    plan = plans.basic()
    recording = bench.record(["/usr/bin/python3", f"{CLIENTS}/client.py", "urllib", bench.write_plan(plan)],
                             options=["--format", "json"])
    bench.provider.entries(len(plan))
    shown = [json.loads(line) for line in recording.stderr.decode().splitlines() if line.startswith("{")]
    check([event["event_id"] for event in shown] == [event["event_id"] for event in recording.events()],
          "--format json shows other events than the file has")


@case
def show_reads_the_file(bench):
    plan = plans.basic()
    recording = bench.record(["/usr/bin/python3", f"{CLIENTS}/client.py", "urllib", bench.write_plan(plan)])
    bench.provider.entries(len(plan))
    done = subprocess.run([bench.sensor, "show", recording.file], capture_output=True, text=True, timeout=PATIENCE_S)
    check(done.returncode == 0, f"show: {done.stderr}")
    check((done.stdout + done.stderr).count("gpt-4o-mini") >= 2, f"show printed: {done.stdout[:2000]}")


def stopped_by(bench, number):
    recording = bench.start(["--", "sh", "-c", "echo started; exec sleep 600"])
    wait_for(lambda: b"started" in recording.stdout, "CMD to start")
    os.kill(recording.pid, number)
    status = recording.wait()
    check(status != 0, f"status {status} after signal {number}")
    check_ledgers(recording)


@case
def interrupted(bench):
    stopped_by(bench, signal.SIGINT)


@case
def terminated(bench):
    stopped_by(bench, signal.SIGTERM)


@case
def hung_up(bench):
    stopped_by(bench, signal.SIGHUP)


@case
def interrupted_by_the_terminal(bench):
    """Ctrl-C goes to the whole foreground group: CMD ends by it, the session is delivered whole."""
    plan = plans.basic()
    recording = bench.start(["--", "sh", "-c", f"/usr/bin/python3 {CLIENTS}/client.py urllib "
                             f"{bench.write_plan(plan)}; echo started; exec sleep 600"])
    wait_for(lambda: b"started" in recording.stdout, "CMD to get there")
    os.killpg(recording.pid, signal.SIGINT)
    status = recording.wait()
    check(status == 130, f"status {status}")
    compare(recording, bench.provider.entries(len(plan)))


@case
def killed_all_at_once(bench):
    """kill -9 of everything: nothing is left behind (Bench.clean looks)."""
    recording = bench.start(["--", "sh", "-c", "echo started; exec sleep 600"]).ready()
    wait_for(lambda: b"started" in recording.stdout, "CMD to start")
    recording.kill_all()
    recording.process.wait(10)
    wait_for(lambda: not bpf_left_over(), "the probes to go")


@case
def killed_command_line(bench):
    """kill -9 of the command line alone: the launcher ends the session."""
    recording = bench.start(["--", "sh", "-c", "echo started; exec sleep 5"]).ready()
    wait_for(lambda: b"started" in recording.stdout, "CMD to start")
    own = roles(recording.pid)
    os.kill(recording.pid, signal.SIGKILL)
    recording.process.wait(10)
    wait_for(lambda: not {pid for name, pid in own.items() if name != "oisp-sensor"} & processes().keys(),
             "the sensor's processes to end")


def killed_above_the_roles(bench, program):
    recording = bench.start(["--", "sh", "-c", "echo started; read line; exit 9"]).ready()
    wait_for(lambda: b"started" in recording.stdout, "CMD to start")
    own = roles(recording.pid)
    check(program in own, f"roles {own}")
    os.kill(own.pop(program), signal.SIGKILL)
    wait_for(lambda: not set(own.values()) & processes().keys(), "the roles to end")
    status = recording.wait(b"\n")
    check(status in (1, 9), f"status {status}")
    check(recording.text(), "it says nothing")


@case
def killed_launcher(bench):
    """kill -9 of the launcher: the roles end, CMD goes on and its status counts."""
    killed_above_the_roles(bench, "oisp-launcher")


@case
def killed_supervisor(bench):
    """The same: the launcher ends them, and itself."""
    killed_above_the_roles(bench, "oisp-supervisor")


@case
def output_not_writable(bench):
    for name in ("/nonexistent/events.jsonl", "/"):
        recording = bench.start(["-o", name, "--", "sh", "-c", "echo ran"], output=False)
        status = recording.wait()
        check(status == 1, f"-o {name} ended with {status}, not 1: {recording.text()}")
        check(name in recording.text(), f"no sentence about {name}: {recording.text()}")
        check(recording.stdout == b"", "CMD ran although the output cannot be written")


@case
def output_disk_full(bench):
    folder = os.path.join(bench.folder, "small")
    os.mkdir(folder)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", folder], capture_output=True).returncode != 0:
        raise Skip("no tmpfs can be mounted here")
    try:
        plan = plans.everything()
        name = os.path.join(folder, "events.jsonl")
        recording = bench.start(["--bodies", "-o", name, "--", "/usr/bin/python3", f"{CLIENTS}/client.py", "urllib",
                                 bench.write_plan(plan)], output=False)
        status = recording.wait()
        bench.provider.entries(len(plan))
        check(b"whole" in recording.stdout, f"CMD was harmed: {recording.stdout}")
        check(status in (0, 1), f"status {status}")
        check("space" in recording.text() or "full" in recording.text(), f"no word about the disk: {recording.text()}")
        with open(name) as file:
            lines = file.read().split("\n")
        for line in lines[:-1]:
            json.loads(line)
    finally:
        subprocess.run(["umount", folder], check=True)


@case
def secrets_are_masked_everywhere(bench):
    """Headers, URLs, bodies, argv, answers and error texts."""
    need("curl")
    from harness import AWS_KEY, OPENAI_KEY
    body = {"model": "gpt-4o-mini", "messages": [
        {"role": "user", "content": f"Why are {AWS_KEY} and {OPENAI_KEY} refused? pid PID"}]}
    name = bench.write_plan(body)
    script = (f"curl -s --cacert $DEMO_CA \"$DEMO_URL/v1/chat/completions?key=$OPENAI_API_KEY\" "
              f"-H \"Authorization: Bearer $OPENAI_API_KEY\" -H 'Content-Type: application/json' -d @{name} -o /dev/null; "
              f"/bin/echo {OPENAI_KEY} >/dev/null; "
              f"curl -s --cacert $DEMO_CA $DEMO_URL/v1/messages -H \"X-Api-Key: $ANTHROPIC_API_KEY\" "
              f"-H \"Cookie: session={AWS_KEY}\" -o /dev/null -H 'Content-Type: application/json' "
              f"-d '{{\"model\":\"m\",\"max_tokens\":1,\"stream\":true,"
              f"\"messages\":[{{\"role\":\"user\",\"content\":\"{AWS_KEY}\"}}]}}'")
    recording = bench.record(["sh", "-c", script])
    check(recording.status == 0, f"status {recording.status}: {recording.text()}")
    bench.provider.entries(2)
    check(len(recording.events("ai.request")) == 2, "the requests are not there")
    kinds = {entry["type"] for event in recording.events()
             for entry in event.get("ext", {}).get("oisp_sensor", {}).get("secrets", [])}
    check(kinds, "no event says that secrets were replaced")
    check_ledgers(recording)
