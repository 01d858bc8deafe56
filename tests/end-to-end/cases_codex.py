"""Codex as npm has it, with a made-up key, before the demo provider: question, tool call, result, answer."""

import os

from cases_boringssl import lonely_provider, pids_of
from compare import compare
from harness import Skip, case, check
from packages import program_of

CODEX = "@openai/codex@0.169.0-linux-x64", "vendor/x86_64-unknown-linux-musl/bin/codex"


def record_codex(bench):
    """Not so with 0.99: that speaks through an OpenSSL linked into it, though it has a rustls, too."""
    program = program_of(*CODEX)
    home = os.path.join(bench.folder, f"home-{bench.next_number()}")
    os.mkdir(home)
    with lonely_provider(bench) as (provider, enter):
        demo = f'{{name="demo",base_url="{provider.url}/v1",env_key="OPENAI_API_KEY",wire_api="responses"}}'
        # Recorded from within: a program that is CMD itself is looked at before it starts, and this one takes a second.
        recording = bench.record([program, "exec", "--skip-git-repo-check", "--sandbox", "danger-full-access",
                                  "-c", 'model_provider="demo"', "-c", f"model_providers.demo={demo}", "-m", "gpt-5.2",
                                  "Run `uname -sr`"], prefix=enter, cwd=home,
                                 env=bench.environment(HOME=home, CODEX_HOME=home, SSL_CERT_FILE=provider.ca))
        entries = provider.entries(2)
    check(recording.status == 0, f"status {recording.status}: {recording.text()}")
    return recording, entries, pids_of(recording, program)


@case
def codex(bench):
    if not os.environ.get("OISP_TEST_AGENTS"):
        raise Skip("OISP_TEST_AGENTS is not set")
    recording, entries, pids = record_codex(bench)
    compare(recording, entries, pids)
    apps = {event["app"].get("app_id") for event in recording.events("ai.request")}
    check(apps == {"codex"}, f"apps: {apps}")
    calls = [event["data"] for event in recording.events("agent.tool_call")]
    check(len(calls) == len(recording.events("agent.tool_result")) == 1, f"the tool call: {calls}")
    commands = [event["data"].get("args", []) for event in recording.events("process.exec")]
    check(["uname", "-sr"] in commands, f"what the call asked for was not seen to run: {commands}")
