"""The requests that clients send. Each is unique, and says which process sends it: a client puts its own
pid in the place of PID."""

import itertools

numbers = itertools.count(1)
TOOLS = [{"type": "function", "function": {"name": "run_command", "description": "Runs a command",
                                           "parameters": {"type": "object"}}}]
ANTHROPIC_TOOLS = [{"name": "Bash", "description": "Runs a command", "input_schema": {"type": "object"}}]


def prompt(words):
    return f"{words} – question {next(numbers)} of pid PID"


def openai(words, **fields):
    return {"path": "/v1/chat/completions",
            "body": {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": prompt(words)}], **fields}}


def anthropic(words, **fields):
    return {"path": "/v1/messages", "body": {"model": "claude-sonnet-4-5", "max_tokens": 1024,
                                             "messages": [{"role": "user", "content": prompt(words)}], **fields}}


def basic():
    """Both dialects, whole and streamed."""
    usage = {"stream": True, "stream_options": {"include_usage": True}}
    return [openai("Hello"), openai("Hello again", **usage), anthropic("Hello, naïve model ☕"),
            anthropic("Hello again", stream=True)]


def tools():
    usage = {"stream": True, "stream_options": {"include_usage": True}}
    result = openai("Use the result", tools=TOOLS)
    result["body"]["messages"] += [
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "call_e2e1", "type": "function", "function": {"name": "run_command", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "call_e2e1", "content": "0.41 of pid PID"}]
    return [openai("Run `uptime` and `df -h /`", tools=TOOLS), openai("Run `id`, `ls`", tools=TOOLS, **usage), result,
            anthropic("Run `uname -a` and `date`", tools=ANTHROPIC_TOOLS),
            anthropic("Run `free`, `ps`", tools=ANTHROPIC_TOOLS, stream=True)]


def shapes():
    """Ways to send an answer."""
    return [openai("Think demo:thinking", stream=True), anthropic("Think demo:thinking"),
            anthropic("Think demo:thinking", stream=True),
            openai("Too often demo:error-429"), anthropic("Broken demo:error-500", stream=True),
            anthropic("Busy demo:error-529"),
            openai("Packed demo:gzip"), anthropic("Packed demo:gzip", stream=True), openai("Packed demo:deflate"),
            anthropic("In small pieces demo:slow", stream=True), openai("In small pieces demo:slow"),
            openai("In chunks demo:chunked"), anthropic("In chunks, packed demo:chunked demo:gzip")]


def big():
    """1 MiB both ways: as JSON with \\u escapes the page is just below it, and goes out in one call."""
    page = "All work and no play makes a naïve reader. " * 21800
    return [openai("Long demo:big"), anthropic("Long demo:big", stream=True), openai(page), anthropic(page + "demo:big")]


def endings():
    """What ends a connection."""
    return [openai("To the end demo:close"), anthropic("To the end demo:close"),
            openai("Break off demo:break"), anthropic("Break off demo:break", stream=True)]


def everything():
    return basic() + tools() + shapes() + big() + endings()
