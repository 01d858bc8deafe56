"""Where OpenSSL may be, and the ways in which it is called."""

import os
import shutil
import signal
import subprocess

import plans
from compare import check_ledgers, compare, compare_run
from harness import CLIENTS, LIBRARIES, Skip, case, check, copy_libssl, need, openssl_client, roles, wait_for


def arguments(bench, mode, count, body_bytes):
    return [mode, str(bench.provider.port), bench.provider.ca, str(count), str(body_bytes)]


def record_client(bench, mode, count=20, body_bytes=1000, prefix=(), **more):
    recording = bench.record([*prefix, openssl_client(bench), *arguments(bench, mode, count, body_bytes)], **more)
    check(recording.status == 0, f"status {recording.status}: {recording.text()}")
    check(recording.stdout == b"%d answers\n" % count, f"stdout {recording.stdout}")
    compare(recording, bench.provider.entries(count))
    return recording


@case
def openssl_blocking(bench):
    record_client(bench, "blocking")


@case
def openssl_ex_functions(bench):
    record_client(bench, "ex")


@case
def openssl_non_blocking(bench):
    record_client(bench, "nonblock", count=8, body_bytes=300000)


@case
def openssl_writer_and_reader_threads(bench):
    # All may be on their way before the first answer is read: no more than may be open at once (64).
    record_client(bench, "threads", count=60, body_bytes=20000)


@case
def openssl_1_mib_writes(bench):
    record_client(bench, "blocking", count=3, body_bytes=1 << 20)


@case
def bundled_libssl(bench):
    """A copy of the library that only this program knows."""
    recording = record_client(bench, "blocking", env=bench.environment(LD_LIBRARY_PATH=copy_libssl(bench)))
    files = [file for file in recording.events("sensor.coverage")[-1]["data"].get("files", [])
             if "libssl.so.3" in file["path"] and file["outcome"] == "probed"]
    check(files, f"probed files: {files}")


@case
def libssl_that_its_scanner_dies_of(bench):
    """What was not read is said, with the reason."""
    folder = copy_libssl(bench)
    os.truncate(os.path.join(folder, "libssl.so.3"), 5 << 30)  # Sparse, and more than a scanner may look at.
    count = 5
    recording = bench.record([openssl_client(bench), *arguments(bench, "blocking", count, 1000)],
                             env=bench.environment(LD_LIBRARY_PATH=folder))
    check(recording.status == 0, f"status {recording.status}: {recording.text()}")
    bench.provider.entries(count)
    coverage = recording.events("sensor.coverage")[-1]["data"]
    reason = "it could not be scanned: the scanner died"
    files = [file for file in coverage.get("files", []) if "libssl.so.3" in file["path"]]
    check([file["outcome"] for file in files] == ["failed"] and files[0]["reason"] == reason, f"files: {files}")
    spots = [spot for spot in coverage.get("blind_spots", []) if reason in spot["detail"]]
    check(spots and "libssl.so.3" in spots[0]["detail"], f"blind spots: {coverage.get('blind_spots')}")


@case
def file_that_becomes_a_libssl(bench):
    """The same inode with other content: it is looked at again."""
    folder = copy_libssl(bench)
    name = os.path.join(folder, "libssl.so.3")
    shutil.copy(name, name + ".whole")
    shutil.copyfile(os.path.join(LIBRARIES, "libm.so.6"), name)
    count = 5
    use = " ".join([openssl_client(bench), *arguments(bench, "blocking", count, 1000)])
    recording = bench.record(["/bin/sh", "-c", f"LD_PRELOAD={name} /bin/true && cat {name}.whole > {name} && "
                              f"LD_LIBRARY_PATH={folder} {use}"])
    compare_run(bench, recording, count)


def links_of(launcher):
    """Probes and hooks that the launcher holds."""
    links = 0
    for name in os.listdir(f"/proc/{launcher}/fd"):
        try:
            links += "bpf_link" in os.readlink(f"/proc/{launcher}/fd/{name}")
        except FileNotFoundError:
            pass  # Closed meanwhile.
    return links


@case
def probes_of_files_that_nobody_uses_any_more(bench):
    """Many programs, each with its own copy of the library: in the end the launcher holds as many links as at first,
    and a copy that comes back is probed again."""
    count = int(os.environ.get("OISP_TEST_COPIES") or 60)
    folder = copy_libssl(bench)
    use = f"{openssl_client(bench)} {' '.join(arguments(bench, 'blocking', 2, 500))}"
    recording = bench.start(["--", "/bin/sh", "-c", f"/usr/bin/python3 {CLIENTS}/many-libraries.py {folder}/libssl.so.3 "
                             f"{count}; LD_LIBRARY_PATH={folder} {use}; read word; LD_LIBRARY_PATH={folder} {use}"])
    recording.ready()
    launcher = roles(recording.pid)["oisp-launcher"]
    first = links_of(launcher)
    wait_for(lambda: f"{count} programs, 0 harmed".encode() in recording.stdout, "the programs to end", 120)
    check(links_of(launcher) > first + count, f"{links_of(launcher)} links, {first} at first")
    wait_for(lambda: links_of(launcher) == first, "the links to be given up", 300)
    check(recording.wait(b"word\n") == 0, recording.text())
    compare(recording, bench.provider.entries(4))


def attach(bench, started, count, options=()):
    """Attaches to a client that waits for a line, lets it run, ends the recording as Ctrl-C does."""
    check(started.stdout.readline() == b"started\n", "the client did not start")
    recording = bench.start([*options, "--pid", str(started.pid)]).ready()
    started.stdin.write(b"go\n")
    started.stdin.flush()
    check(started.stdout.readline() == b"%d answers\n" % count, "the client did not get its answers")
    started.wait(10)
    entries = bench.provider.entries(count)
    os.kill(recording.pid, signal.SIGINT)
    status = recording.wait()
    check(status in (0, 130), f"status {status}: {recording.text()}")
    compare(recording, entries, pids=[started.pid])
    return recording


def start_waiting(bench, **more):
    return subprocess.Popen([openssl_client(bench), *arguments(bench, "wait", 10, 2000)], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, **{"env": bench.environment(), **more})


@case
def pid_of_a_running_program(bench):
    attach(bench, start_waiting(bench), 10)


@case
def pid_with_a_deleted_libssl(bench):
    folder = copy_libssl(bench)
    started = start_waiting(bench, env=bench.environment(LD_LIBRARY_PATH=folder))
    wait_for(lambda: "libssl" in open(f"/proc/{started.pid}/maps").read(), "the client to load libssl")
    shutil.rmtree(folder)
    attach(bench, started, 10)


@case
def pid_and_its_later_children(bench):
    """--pid takes in what the process starts after that."""
    shell = subprocess.Popen(["sh", "-c", f"echo started; read line; {openssl_client(bench)} "
                              f"{' '.join(arguments(bench, 'blocking', 5, 100))}"],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=bench.environment())
    check(shell.stdout.readline() == b"started\n", "the shell did not start")
    recording = bench.start(["--pid", str(shell.pid)]).ready()
    shell.stdin.write(b"go\n")
    shell.stdin.flush()
    shell.wait(20)
    entries = bench.provider.entries(5)
    os.kill(recording.pid, signal.SIGINT)
    recording.wait()
    compare(recording, entries)


@case
def pid_joined_late(bench):
    """A connection that is open already is read from the next request on, and said to be joined late."""
    need("/usr/bin/python3")
    program = ("import http.client, json, os, ssl, sys\n"
               "host, port = os.environ['DEMO_URL'].rsplit('/', 1)[1].split(':')\n"
               "context = ssl.create_default_context(cafile=os.environ['DEMO_CA'])\n"
               "connection = http.client.HTTPSConnection(host, int(port), context=context)\n"
               "for number in range(3):\n"
               "    body = {'model': 'm', 'messages': [{'role': 'user', 'content': f'{number} of pid {os.getpid()}'}]}\n"
               "    connection.request('POST', '/v1/chat/completions', json.dumps(body), {'Authorization': 'x'})\n"
               "    connection.getresponse().read()\n"
               "    print('asked', flush=True)\n"
               "    sys.stdin.readline()\n")
    started = subprocess.Popen(["/usr/bin/python3", "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               env=bench.environment())
    check(started.stdout.readline() == b"asked\n", "the client did not start")
    recording = bench.start(["--pid", str(started.pid)]).ready()
    for _ in range(2):
        started.stdin.write(b"\n")
        started.stdin.flush()
        check(started.stdout.readline() == b"asked\n", "the client did not go on")
    started.stdin.close()
    started.wait(10)
    entries = bench.provider.entries(3)
    os.kill(recording.pid, signal.SIGINT)
    recording.wait()
    compare(recording, entries[1:], pids=[started.pid], joined_late=True)


@case
def container_on_overlayfs(bench):
    """Another mount namespace, another root, files on overlayfs: the library is another inode there."""
    need("unshare", "mount")
    base = os.path.join(bench.folder, "overlay")
    os.mkdir(base)
    # The provider's CA is below the lower folder; the client finds it at the same path.
    script = (f"set -e; mount -t tmpfs none {base}; mkdir {base}/upper {base}/work {base}/merged; "
              f"mount -t overlay none -o lowerdir=/,upperdir={base}/upper,workdir={base}/work {base}/merged; "
              f"cp {bench.provider.ca} {base}/merged/ca.pem; cp {openssl_client(bench)} {base}/merged/client; "
              f"mount --rbind /proc {base}/merged/proc; mount --rbind /dev {base}/merged/dev; "
              f"exec chroot {base}/merged /client blocking {bench.provider.port} /ca.pem 20 1000")
    probe = subprocess.run(["unshare", "-m", "sh", "-c", script.split("exec chroot")[0] + "true"], capture_output=True)
    if probe.returncode != 0:
        raise Skip(f"no overlayfs here: {probe.stderr.decode().strip()}")
    recording = bench.record(["unshare", "-m", "sh", "-c", script])
    check(recording.status == 0, f"status {recording.status}: {recording.text()}")
    compare(recording, bench.provider.entries(20))


def musl_client(bench):
    """The same client, linked statically with musl."""
    need("musl-gcc")
    folder = os.path.join(bench.folder, f"musl-{bench.next_number()}")
    # Debian's headers of OpenSSL alone: those of glibc must not be found.
    os.makedirs(os.path.join(folder, "machine"))
    os.symlink("/usr/include/openssl", os.path.join(folder, "openssl"))
    os.symlink("/usr/include/x86_64-linux-gnu/openssl", os.path.join(folder, "machine/openssl"))
    program = os.path.join(folder, "client")
    done = subprocess.run(["musl-gcc", "-static", "-O1", "-D_GNU_SOURCE", f"-I{folder}", f"-I{folder}/machine",
                           f"{CLIENTS}/openssl-client.c", f"{CLIENTS}/musl-shim.c", f"{LIBRARIES}/libssl.a",
                           f"{LIBRARIES}/libcrypto.a", "-o", program], capture_output=True, text=True)
    if done.returncode != 0:
        raise Skip(f"no musl client can be built here: {done.stderr.strip()[-200:]}")
    return program


@case
def more_than_max_capture_is_named(bench):
    """A call of more than 1 MiB and a head is cut; that it was is in the event and in the ledger."""
    recording = bench.record([openssl_client(bench), *arguments(bench, "blocking", 1, 3 << 20)])
    check(recording.status == 0, f"status {recording.status}: {recording.text()}")
    bench.provider.entries(1)
    requests = recording.events("ai.request")
    check(len(requests) == 1, f"{len(requests)} ai.request")
    whole = len(requests[0]["ext"]["oisp_sensor"]["http"].get("body", "")) > 3 << 20
    marked = requests[0]["ext"]["oisp_sensor"].get("incomplete")
    cut = recording.events("sensor.loss")[-1]["data"]["cut"]
    check(whole or (marked and cut), f"incomplete {marked}, cut {cut}")


@case
def musl_static(bench):
    recording = bench.record([musl_client(bench), *arguments(bench, "threads", 20, 2000)])
    check(recording.status == 0, f"status {recording.status}: {recording.text()}")
    compare(recording, bench.provider.entries(20))


def check_named(recording, reason, connections):
    """What could not be read is named, in the file and to the user."""
    check(not recording.events("ai.request"), "an ai.request out of nothing")
    coverage = recording.events("sensor.coverage")[-1]["data"]
    check(coverage["tls_connections"] == connections, f"coverage {coverage}")
    spots = coverage.get("blind_spots", [])
    check(any(spot["reason"] == reason for spot in spots), f"blind spots: {spots}")
    check(all(spot["detail"] for spot in spots), f"a blind spot without a word of what to do: {spots}")
    check("NOT SEEN" in recording.text(), f"the summary does not say it: {recording.text()}")


@case
def stripped_static_program_is_named(bench):
    need("strip")
    program = musl_client(bench)
    subprocess.run(["strip", program], check=True)
    recording = bench.record([program, *arguments(bench, "blocking", 2, 100)])
    check(recording.status == 0, f"status {recording.status}: {recording.text()}")
    bench.provider.entries(2)
    check_named(recording, "no_tls_library", 1)


@case
def another_tls_library_is_named(bench):
    """Debian's wget speaks TLS by GnuTLS."""
    need("wget")
    if b"gnutls" not in subprocess.run(["ldd", shutil.which("wget")], capture_output=True).stdout:
        raise Skip("this wget does not use GnuTLS")
    recording = bench.record(["sh", "-c", "wget -q -O /dev/null --ca-certificate=$DEMO_CA $DEMO_URL/health"])
    check(recording.status == 0, f"status {recording.status}: {recording.text()}")
    bench.provider.entries(1)
    check_named(recording, "no_tls_library", 1)


@case
def not_model_traffic(bench):
    """HTTP that is no model traffic gives no event of a model; TLS that is not HTTP is a named blind spot."""
    need("curl", "openssl")
    script = ("curl -s --cacert $DEMO_CA $DEMO_URL/health; "
              "head -c 1048576 /dev/zero | curl -s -o /dev/null --cacert $DEMO_CA --data-binary @- $DEMO_URL/echo")
    recording = bench.record(["sh", "-c", script])
    check(recording.stdout == b"ok\n", f"stdout {recording.stdout}")
    bench.provider.entries(2)
    check(not recording.events("ai.request") and not recording.events("ai.response"), "an event of a model")
    coverage = check_ledgers(recording)
    check(coverage["http_exchanges"] == 2 and coverage["ai_exchanges"] == 0, f"coverage {coverage}")


@case
def nothing_of_others(bench):
    """A client outside the recorded tree, at the same time, with the same library: none of its words come in."""
    plan = plans.basic()
    mine = bench.write_plan(plan)
    others = bench.write_plan(plans.basic() * 5)
    outside = subprocess.Popen(["/usr/bin/python3", f"{CLIENTS}/client.py", "urllib", others],
                               env=bench.environment(), stdout=subprocess.DEVNULL)
    recording = bench.record(["/usr/bin/python3", f"{CLIENTS}/client.py", "urllib", mine])
    outside.wait(60)
    entries = [entry for entry in bench.provider.entries(6 * len(plan))]
    inside = set(event["process"]["pid"] for event in recording.events("ai.request"))
    check(outside.pid not in inside, "an outsider was recorded")
    compare(recording, [entry for entry in entries if str(outside.pid) not in text_of(entry)])


def text_of(entry):
    import base64
    return base64.b64decode(entry["request_body"]).decode()


@case
def two_recordings_at_once(bench):
    all_plans = [plans.everything(), plans.everything()]
    recordings = [bench.start(["--", "/usr/bin/python3", f"{CLIENTS}/client.py", "connection", bench.write_plan(plan)])
                  for plan in all_plans]
    for recording in recordings:
        check(recording.wait() == 0, recording.text())
    entries = bench.provider.entries(sum(map(len, all_plans)))
    for recording in recordings:
        pids = {event["process"]["pid"] for event in recording.events("ai.request")}
        check(len(pids) == 1, f"a recording has requests of {pids}")
        word = f"pid {pids.pop()}"
        compare(recording, [entry for entry in entries if word in text_of(entry)])
