"""Agents: programs that ask, run what the model asks them to, and ask again. Several at once, in each runtime."""

import collections
import json
import os

import plans
import runtimes
from compare import body_of, compare
from harness import CLIENTS, Failure, case, check

DIALECTS = ["anthropic", "chat", "responses"]


def conversation(bench, agent, dialect):
    """Two prompts of several turns each; commands, files and results have this conversation's name in them."""
    name = f"{agent}-{dialect}-{next(plans.numbers)}"
    folder = os.path.join(bench.folder, name)
    os.mkdir(folder)
    note = lambda text: json.dumps({"path": f"{name}.txt", "content": f"{name}: {text}"}, ensure_ascii=False)
    look = json.dumps({"path": f"{name}.txt"})
    first = (f"I am {name} of pid PID. `uname -sr` and `echo {name} is pid $PPID` demo:then "
             f"write it down: `write_file {note('a naïve note ☕')}` and meanwhile `sleep 0.05; id -un; echo {name} waited` "
             f"demo:then read it: `read_file {look}`, `wc -c <{name}.txt`, `cat {name}.txt && ls` demo:then "
             f"fail: `echo {name} cannot >&2; exit 3`")
    second = (f"Once more, of pid PID: `for n in 1 2 3; do echo {name} $n | tr a-z A-Z; done` demo:then "
              f"`write_file {note('long, ' * 3000)}` demo:then `read_file {look}`")
    return {"dialect": dialect, "name": name, "folder": folder, "prompts": [first, second, "Thank you, pid PID"],
            "system": f"You are {name}. Use the tools. " + "Be careful. " * 200}


TURNS = 5 + 4 + 1  # of each conversation: of its prompts, with the answers that ask for nothing


def agent_loop(bench, runtime):
    """Two agents at once, each of which has a conversation in each dialect at once."""
    agents = [[conversation(bench, agent, dialect) for dialect in DIALECTS] for agent in ("ada", "bob")]
    files = [bench.write_plan(agent) for agent in agents]
    recording = bench.record([*runtime.command, f"{CLIENTS}/agent.mjs", *files],
                             env=bench.environment(**runtime.environment))
    try:
        check(recording.status == 0, f"status {recording.status}: {recording.text()}")
        entries = bench.provider.entries(TURNS * sum(map(len, agents)))
        compare(recording, entries)
        compare_agents(recording, sum(agents, []), files)
    except Failure as reason:
        raise Failure(f"{runtime.name}: {reason}") from reason


def shell_words(event):
    """What was executed. Newer versions of Deno put the program's path where the caller put its name."""
    program, *rest = event["data"].get("args") or [""]
    return [os.path.basename(program), *rest]


def compare_agents(recording, conversations, files):
    """The sensor's story of each conversation against the agents' own."""
    told = collections.defaultdict(list)
    for file in files:
        with open(f"{file}.turns") as lines:
            for turn in map(json.loads, lines):
                told[turn["conversation"]].append(turn)
    names = [one["name"] for one in conversations]
    check(sorted(told) == sorted(names), f"agents told of {sorted(told)}")
    pids = {name: turns[0]["pid"] for name, turns in told.items()}
    check(len(set(pids.values())) == 2, f"pids {pids}")
    by_request = collections.defaultdict(list)
    for kind in ("agent.tool_call", "agent.tool_result", "ai.response"):
        for event in recording.events(kind):
            by_request[kind, event["data"]["request_id"]].append(event)
    execs = {event["process"]["pid"]: event for event in recording.events("process.exec")
             if shell_words(event)[0] == "sh"}

    requests = collections.defaultdict(list)
    for event in recording.events("ai.request"):
        of = [name for name in names if name.encode() in body_of(event)]
        check(len(of) == 1, f"a request of {of}")
        requests[of[0]].append(event)
    for one in conversations:
        name, turns = one["name"], told[one["name"]]
        check(len(requests[name]) == len(turns) == TURNS, f"{name}: {len(requests[name])} requests, {len(turns)} turns")
        results = []  # of the turn before: each request brings those that are new, and only them
        for number, (request, turn) in enumerate(zip(requests[name], turns)):
            where = f"{name}, turn {number}"
            check(request["process"]["pid"] == pids[name], f"{where}: pid {request['process']['pid']}, not {pids[name]}")
            compare_results(where, by_request.pop(("agent.tool_result", request["data"]["request_id"]), []), results, pids[name])
            (response,) = by_request.pop(("ai.response", request["data"]["request_id"]))
            calls = by_request.pop(("agent.tool_call", request["data"]["request_id"]), [])
            compare_calls(where, calls, turn["calls"], response, pids[name])
            following = requests[name][number + 1] if number + 1 < TURNS else None
            compare_children(where, execs, turn["calls"], one["folder"], pids[name], response, following)
            results = turn["calls"]
    check(not by_request, f"of no conversation's turn: {list(by_request)[:5]}")


def compare_calls(where, events, calls, response, pid):
    expected = [(call["id"], call["name"], call["arguments"]) for call in calls]
    as_object = lambda value: json.loads(value) if isinstance(value, str) else value
    seen = [(event["data"]["call_id"], event["data"]["tool"]["name"], as_object(event["data"]["arguments"])) for event in events]
    check(seen == expected, f"{where}: agent.tool_call {seen}, not {expected}")
    seen = [(call["id"], call["name"], as_object(call["arguments"])) for call in response["data"].get("tool_calls", [])]
    check(seen == expected, f"{where}: the answer's calls {seen}, not {expected}")
    check({event["process"]["pid"] for event in [response, *events]} == {pid}, f"{where}: a call of another pid")


def compare_results(where, events, calls, pid):
    expected = [(call["id"], call["name"], call["result"], len(call["result"].encode())) for call in calls]
    seen = [(event["data"]["call_id"], event["data"]["tool"]["name"], event["data"]["result"],
             event["data"]["result_size_bytes"]) for event in events]
    check(seen == expected, f"{where}: agent.tool_result {seen}, not {expected}")
    check({event["process"]["pid"] for event in events} <= {pid}, f"{where}: a result of another pid")


def compare_children(where, execs, calls, folder, pid, response, following):
    """What the calls started: children of this agent, after the answer that asked for them and before their results."""
    sequence = lambda event: event["ext"]["oisp_sensor"]["sequence"]
    for call in calls:
        if call["name"] != "run_command":
            continue
        event = execs.pop(call["child"], None)
        check(event, f"{where}: {call['arguments']} was not seen to run as {call['child']}")
        seen = (event["process"]["ppid"], shell_words(event), event["data"]["cwd"])
        expected = (pid, ["sh", "-c", call["arguments"]["command"]], folder)
        check(seen == expected, f"{where}: ran {seen}, not {expected}")
        check(sequence(response) < sequence(event) < sequence(following), f"{where}: {call['arguments']} ran out of turn")


@case
def agents_node(bench):
    agent_loop(bench, runtimes.node(bench))


@case
def agents_bun(bench):
    for runtime in runtimes.buns(bench):
        agent_loop(bench, runtime)


@case
def agents_deno(bench):
    for runtime in runtimes.denos(bench):
        agent_loop(bench, runtime)
