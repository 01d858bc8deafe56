"""Bun and what is made with it, and Chromium: BoringSSL without symbols."""

import contextlib
import json
import os
import signal
import subprocess

import plans
from cases_http2 import front
from compare import compare, compare_run
from harness import CLIENTS, Provider, Skip, case, check, descendants, need, wait_for
from packages import bun_program, program_of
from runtimes import ALL_VERSIONS, BUNS, LOUD_BUNS, SILENT_BUNS

CLAUDE_CODE = "@anthropic-ai/claude-code-linux-x64@2.1.329"
# In 153 SSL_read is inlined, and SSL_peek is used besides.
CHROMIUM = "@sparticuz/chromium@153.0.0"
OTHER_CHROMIUM = "@sparticuz/chromium@131.0.1"


def bun_fetch(bench, version, **more):
    plan = plans.basic() + plans.tools() + plans.shapes() + plans.big()
    if version not in SILENT_BUNS:
        # Among many at once, Bun itself asks again where an answer broke off.
        plan += [one for one in plans.endings() if "AT_ONCE" not in more or "demo:break" not in json.dumps(one)]
    program = bun_program(version)
    if version in SILENT_BUNS:
        more["UNVERIFIED"] = "1"
    recording = bench.record([program, f"{CLIENTS}/fetch.mjs", bench.write_plan(plan)], env=bench.environment(**more))
    compare_run(bench, recording, len(plan), f"Bun {version}")


@case
def bun(bench):
    for version in BUNS:
        bun_fetch(bench, version)


@case
def bun_many_at_once(bench):
    for version in BUNS:
        bun_fetch(bench, version, AT_ONCE="1")


@case
def bun_other_versions(bench):
    if not ALL_VERSIONS:
        raise Skip("OISP_TEST_ALL_VERSIONS is not set")
    for version in SILENT_BUNS + LOUD_BUNS:
        bun_fetch(bench, version)


@contextlib.contextmanager
def lonely_network():
    """A network namespace with nothing but loopback: the command that enters it."""
    need("unshare", "nsenter", "ip")
    holder = subprocess.Popen(["unshare", "--net", "sh", "-c", "ip link set lo up && echo up && exec cat"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        check(holder.stdout.readline() == b"up\n", "no network namespace can be made")
        yield ["nsenter", f"--net=/proc/{holder.pid}/ns/net"]
    finally:
        holder.stdin.close()
        holder.wait(10)


@contextlib.contextmanager
def lonely_provider(bench):
    """A provider in such a namespace, and the command that enters it."""
    with lonely_network() as enter:
        folder = os.path.join(bench.folder, f"provider-{bench.next_number()}")
        os.mkdir(folder, 0o755)
        provider = Provider(folder, enter)
        try:
            yield provider, enter
        finally:
            provider.stop()


def pids_of(recording, program):
    return {event["process"]["pid"] for event in recording.events("process.exec")
            if event["process"].get("exe") == program}


def record_claude_code(bench):
    """The program as npm has it, with a made-up key, before the demo provider: question, tool call, result, answer."""
    program = program_of(CLAUDE_CODE, "claude")
    home = os.path.join(bench.folder, "home")
    os.mkdir(home)
    with lonely_provider(bench) as (provider, enter):
        environment = bench.environment(HOME=home, ANTHROPIC_BASE_URL=provider.url, NODE_EXTRA_CA_CERTS=provider.ca,
                                        DISABLE_TELEMETRY="1", CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="1")
        recording = bench.record([*enter, program, "--bare", "-p", "Run `uname -sr`", "--model", "claude-sonnet-4-5",
                                  "--allowedTools", "Bash(uname:*)"], env=environment, cwd=home)
        entries = provider.entries(2)
    check(recording.status == 0, f"status {recording.status}: {recording.text()}")
    return recording, entries, pids_of(recording, program)


@case
def claude_code(bench):
    recording, entries, pids = record_claude_code(bench)
    compare(recording, entries, pids)
    apps = {event["app"].get("app_id") for event in recording.events("ai.request")}
    check(apps == {"claude-code"}, f"apps: {apps}")
    check(len(recording.events("agent.tool_call")) == len(recording.events("agent.tool_result")) == 1, "the tool call")


def chromium_from_npm(package):
    """The program that the package has, unpacked."""
    packed = program_of(package, "bin/chromium.br")
    program = packed.removesuffix(".br")
    if not os.path.exists(program):
        need("node")
        unpack = ("const fs = require('fs'); fs.writeFileSync(process.argv[2], "
                  "require('zlib').brotliDecompressSync(fs.readFileSync(process.argv[1])), { mode: 0o755 })")
        subprocess.run(["node", "-e", unpack, packed, program + ".part"], check=True)
        os.rename(program + ".part", program)
    if b"not found" in subprocess.run(["ldd", program], capture_output=True).stdout:
        raise Skip("libraries that Chromium needs are not installed")
    return program


def executable_of(pid):
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return None


def record_chromium(bench, package, plan):
    """A browser without a window: one connection of HTTP/2."""
    program = chromium_from_npm(package)
    with lonely_provider(bench) as (provider, enter), front(provider, enter) as url:
        page = os.path.join(bench.folder, "page.html")
        with open(f"{CLIENTS}/fetch.html") as source, open(page, "w") as target:
            target.write(source.read().replace("of PLAN", f"of {json.dumps(plan)}").replace("URL +", f"{json.dumps(url)} +"))
        options = ["--headless", "--no-sandbox", "--no-zygote", "--disable-gpu", "--ignore-certificate-errors",
                   "--disable-web-security", f"--user-data-dir={bench.folder}/profile", "--remote-debugging-port=0"]
        recording = bench.start(["--", *enter, program, *options, f"file://{page}"], env=bench.environment(HOME=bench.folder))
        entries = wait_for(lambda: provider.logged() > len(plan) and provider.entries(len(plan) + 1), "the page to end")
        browser = next(pid for pid in descendants(recording.pid) if executable_of(pid) == program)
        os.kill(browser, signal.SIGTERM)
        recording.wait()
    return recording, entries, pids_of(recording, program)


@case
def chromium(bench):
    compare(*record_chromium(bench, CHROMIUM, plans.everything()))


@case
def chromium_other_version(bench):
    if not ALL_VERSIONS:
        raise Skip("OISP_TEST_ALL_VERSIONS is not set")
    compare(*record_chromium(bench, OTHER_CHROMIUM, plans.everything()))
