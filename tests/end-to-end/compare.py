"""Compares a recording's events with what the provider logged: every request, every response, every byte."""

import base64
import collections
import json
import re
import zlib

from harness import Failure, answers, check, dialects

DIALECTS = dialects.DIALECTS
PID = re.compile(r"\bpid (\d+)\b")


def compare(recording, entries, pids=None, joined_late=False, server=None):
    """`entries`: what the provider logged of the clients under this recording. A request that says `pid N` has
    to be attributed to N; `pids` are those allowed for others. `server`: whose pid is looked for instead."""
    expected = [entry for entry in entries if dialects.find(entry["path"])]
    requests = recording.events("ai.request")
    responses = {}
    for event in recording.responses():
        name = event["data"]["request_id"]
        check(name not in responses, f"two responses to request {name}")
        responses[name] = event
    check(len(requests) == len(expected), f"{len(requests)} ai.request for {len(expected)} exchanges: "
          + difference([body_of(event) for event in requests], [base64.b64decode(e["request_body"]) for e in expected]))
    check(len(responses) == len(expected), f"{len(responses)} answers for {len(expected)} exchanges")

    by_body = collections.defaultdict(list)
    for event in requests:
        by_body[body_of(event)].append(event)
    for entry in expected:
        body = base64.b64decode(entry["request_body"])
        check(by_body[body], f"no ai.request with the body of exchange {entry['order']}: {body[:200]!r}")
        request = by_body[body].pop(0)
        name = request["data"]["request_id"]
        check(name in responses, f"no answer to exchange {entry['order']}")
        try:
            compare_exchange(entry, body, request, responses[name], pids, server)
        except Exception as reason:
            raise type(reason)(f"exchange {entry['order']} ({entry['path']}, {' '.join(entry['how']) or 'plain'}, "
                               f"{body[-160:]!r}): {reason}") from reason
    compare_tools(recording, expected)
    check_ledgers(recording, joined_late)


def compare_run(bench, recording, count, who=None):
    """Of a command that had to end well, after `count` exchanges; `who` is named where it did not."""
    try:
        check(recording.status == 0, f"status {recording.status}: {recording.text()}")
        compare(recording, bench.provider.entries(count))
    except Failure as reason:
        raise Failure(f"{who}: {reason}" if who else str(reason)) from reason
    return recording


def difference(seen, expected):
    missing = collections.Counter(expected) - collections.Counter(seen)
    extra = collections.Counter(seen) - collections.Counter(expected)
    short = lambda counter: [body[:60] + b" ... " + body[-100:] for body in counter.elements()][:3]
    return f"missing {short(missing)}, too many {short(extra)}"


def body_of(event):
    http = event.get("ext", {}).get("oisp_sensor", {}).get("http", {})
    if "body_base64" in http:
        return base64.b64decode(http["body_base64"])
    return http.get("body", "").encode()


def decoded(entry):
    body = base64.b64decode(entry["response_body"])
    if "gzip" in entry["how"] or "deflate" in entry["how"]:
        return zlib.decompressobj(wbits=47).decompress(body)
    return body


def compare_exchange(entry, body, request, response, pids, server=None):
    said = PID.search(body[-4096:].decode(errors="replace"))
    for event in (request, response):
        pid = event["process"]["pid"]
        if server:
            check(pid == server, f"attributed to pid {pid}, not to the server's {server}")
        elif said:
            check(pid == int(said.group(1)), f"attributed to pid {pid}, but {said.group(0)} sent it")
        elif pids is not None:
            check(pid in pids, f"attributed to pid {pid}, not one of {pids}")

    http = request["ext"]["oisp_sensor"]["http"]
    check(http["method"] == entry["method"] and http["path"] == entry["path"], f"request line {http}")
    check(http["body_bytes"] == entry["request_bytes"], f"body_bytes {http['body_bytes']}")
    check(request["data"]["dialect"] == dialects.find(entry["path"]).word, f"dialect {request['data']['dialect']}")
    kind = "ai.embedding" if request["data"]["request_type"] == "embedding" else "ai.response"
    check(response["event_type"] == kind, f"answered by {response['event_type']}")

    sensor = response["ext"]["oisp_sensor"]
    http = sensor["http"]
    data = response["data"]
    check(http["status_code"] == data["status_code"] == entry["status"], f"status {data.get('status_code')}")
    sent = decoded(entry)
    if entry["complete"]:
        check("incomplete" not in sensor, f"marked incomplete: {sensor.get('incomplete')}")
        check(body_of(response) == sent, f"response body of {len(body_of(response))} bytes, not {len(sent)} as sent")
        check(http["body_bytes"] == entry["response_bytes"], f"response body_bytes {http['body_bytes']}")
        compare_meaning(entry, json.loads(body), data)
    else:
        check(sensor.get("incomplete"), "a broken answer is not marked incomplete")
        check(sent.startswith(body_of(response)), "a broken answer has other bytes than were sent")
        check(body_of(response), "nothing of a broken answer was kept")


def compare_meaning(entry, request, data):
    """What the answer says, from the provider's own view of it."""
    dialect = dialects.find(entry["path"])
    if entry["status"] != 200:
        kind, message = answers.ERRORS[entry["status"]]
        check(data["success"] is False, "success of an error")
        check(data["error"]["message"] == message, f"error {data.get('error')}")
        check(data["error"].get("type", kind) == kind, f"error {data.get('error')}")
        return
    answer = dialect(request)
    check(data["success"] is ("failed" not in answer.markers), f"success {data.get('success')}")
    usage = data.get("usage", {})
    check((usage.get("prompt_tokens"), usage.get("completion_tokens")) == answer.counts(), f"usage {usage}")
    if isinstance(answer, dialects.Embeddings):
        numbers = (data["input_count"], data["embedding_count"], data["dimensions"], data["total_tokens"])
        expected = (len(answer.inputs), len(answer.inputs), answer.dimensions, answer.input_tokens)
        check(numbers == expected, f"embedding {numbers}, not {expected}")
        return
    if answer.reason() is None:
        return  # tokens were counted, nothing said
    check(data["model"]["id"] == request["model"], f"model {data['model']}")
    message = data["choices"][0]["message"]
    check(message.get("content") == answer.content(), f"content {str(message.get('content'))[:200]}")
    check(data.get("thinking", {}).get("content", "") == answer.thinking, f"thinking {data.get('thinking')}")
    calls = [(call["id"], call["name"], meaning(call["arguments"])) for call in data.get("tool_calls", [])]
    check(calls == expected_calls(answer), f"tool calls {calls}")
    check(data["finish_reason_raw"] == answer.reason(), f"finish reason {data.get('finish_reason_raw')}")


def meaning(arguments):
    """Arguments are an object, or a string that holds one, or the text that a tool takes."""
    try:
        return json.loads(arguments) if isinstance(arguments, str) else arguments
    except ValueError:
        return {"command": arguments}


def expected_calls(answer):
    return answer.own_calls() + [(answer.call_id(number), *call) for number, call in enumerate(answer.calls)]


def compare_tools(recording, entries):
    """One agent.tool_call for each call that a whole answer held, one agent.tool_result for each result sent."""
    calls, results = [], []
    for entry in entries:
        if not entry["complete"] or entry["status"] != 200:
            continue
        request = json.loads(base64.b64decode(entry["request_body"]))
        answer = dialects.find(entry["path"])(request)
        calls += [call for call, *_ in expected_calls(answer)]
        results += answer.results_in(request)
    seen = [event["data"]["call_id"] for event in recording.events("agent.tool_call")]
    check(sorted(seen) == sorted(calls), f"agent.tool_call {seen}, not {calls}")
    seen = [event["data"]["call_id"] for event in recording.events("agent.tool_result")]
    check(sorted(set(seen)) == sorted(set(results)), f"agent.tool_result {seen}, not {results}")


def check_ledgers(recording, joined_late=False):
    """Every recording: numbers without a hole, ids used once, nothing lost or unexplained, an end."""
    events = recording.events()
    names = [event["event_id"] for event in events]
    check(len(set(names)) == len(names), "an event_id is used twice")
    numbers = [event["ext"]["oisp_sensor"]["sequence"] for event in events]
    check(numbers == list(range(numbers[0], numbers[0] + len(numbers))), f"sequence has holes: {numbers[:50]}")
    final = {event["event_type"]: event["data"] for event in events if event["data"].get("final")}
    loss = final.get("sensor.loss", {})
    check(loss, "no final sensor.loss")
    check((loss["lost"], loss["cut"], loss["unexplained"]) == (0, 0, 0), f"loss: {loss}")
    coverage = final.get("sensor.coverage")
    check(coverage, "no final sensor.coverage")
    if not joined_late:
        check(coverage["tls_connections"] == coverage["tls_connections_read"],
              f"{coverage['tls_connections_read']} of {coverage['tls_connections']} TLS connections read: "
              f"{coverage.get('blind_spots')}")
        # Whatever was read as requests and answers has proved the file that it was read at.
        read = any(event["event_type"] == "ai.response" and "incomplete" not in event["ext"]["oisp_sensor"]
                   and event["confidence"]["content_source"] == "tls_boundary" for event in events)
        trusts = [file["trust"] for file in coverage.get("files", []) if file["outcome"] == "probed"]
        check("distrusted" not in trusts, f"a file is not believed: {coverage['files']}")
        check(not read or not trusts or "trusted" in trusts, f"no file is believed: {coverage['files']}")
        plaintext, wire = coverage["measured_plaintext_bytes"], coverage["measured_wire_bytes"]
        check(plaintext <= wire, f"{plaintext} B of plaintext on connections that moved {wire} B")
    check(events[-1]["event_type"] == "sensor.stop", f"the last event is {events[-1]['event_type']}")
    return coverage
