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


def responses(words, **fields):
    return {"path": "/v1/responses", "body": {"model": "gpt-5.2", "input": prompt(words), **fields}}


def embeddings(words, **fields):
    return {"path": "/v1/embeddings", "body": {"model": "text-embedding-3-small", "input": prompt(words), **fields}}


def ollama(words, **fields):
    return {"path": "/api/chat",
            "body": {"model": "qwen3", "messages": [{"role": "user", "content": prompt(words)}], **fields}}


def basic():
    """Two dialects, whole and streamed."""
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


def of_responses():
    tools = [{"type": "web_search"}, {"type": "function", "name": "run_command", "description": "Runs a command",
                                      "parameters": {"type": "object"}, "strict": False}]
    custom = [{"type": "custom", "name": "shell", "description": "Runs a command"}]
    turn = responses("", tools=tools, stream=True)
    turn["body"]["input"] = [
        {"role": "user", "content": [{"type": "input_text", "text": prompt("What is this")},
                                     {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo="}]},
        {"type": "reasoning", "id": "rs_e2e", "summary": [], "encrypted_content": "ZW5jcnlwdGVk"},
        {"type": "function_call", "call_id": "call_e2e2", "name": "run_command", "arguments": "{}"},
        {"type": "custom_tool_call", "call_id": "call_e2e3", "name": "shell", "input": "ls"},
        {"type": "function_call_output", "call_id": "call_e2e2", "output": "0.41 of pid PID"},
        {"type": "custom_tool_call_output", "call_id": "call_e2e3", "output": [{"type": "input_text", "text": "a b"}]}]
    return [responses("Hello"), responses("Hello again, naïve ☕", stream=True), turn,
            responses("Go on", instructions="Be brief.", previous_response_id="resp_e2e", max_output_tokens=512,
                      reasoning={"effort": "low", "summary": "auto"}, text={"format": {"type": "text"}}),
            responses("Run `uptime` and `df -h /`", tools=tools), responses("Run `id`, `ls`", tools=tools, stream=True),
            responses("Run `id` and `uptime -p`", tools=custom, stream=True), responses("Run `id`", tools=custom),
            responses("Think demo:thinking demo:search", tools=tools), responses("Think demo:thinking demo:search",
                                                                                 tools=tools, stream=True),
            responses("Too much demo:incomplete", stream=True), responses("In vain demo:failed", stream=True),
            responses("In vain demo:failed"), responses("Too often demo:error-429", stream=True),
            responses("Packed demo:gzip demo:slow", stream=True), responses("Long demo:big", stream=True),
            responses("Break off demo:break", stream=True)]


def of_embeddings():
    many = embeddings("", dimensions=256)
    many["body"]["input"] = [prompt("One"), prompt("Two"), "three"]
    tokens = embeddings("", user=prompt("Tokens"))
    tokens["body"]["input"] = [[101, 102], [103]]
    return [embeddings("Hello"), embeddings("Hello again", encoding_format="base64"), many, tokens,
            embeddings("Packed demo:gzip", encoding_format="float"), embeddings("Too often demo:error-429"),
            {"path": "/api/embed", "body": {"model": "all-minilm", "input": [prompt("One"), "two"], "truncate": True}}]


def of_anthropic():
    """What agents use besides."""
    count = anthropic("How long is this")
    count["path"] += "/count_tokens"
    del count["body"]["max_tokens"]
    return [count, anthropic("Hide demo:redacted demo:thinking", stream=True), anthropic("Look demo:search"),
            anthropic("Look demo:search, then run `id` and `ls`", tools=ANTHROPIC_TOOLS, stream=True)]


def of_ollama():
    result = ollama("Use the result", tools=TOOLS)
    result["body"]["messages"] += [
        {"role": "assistant", "content": "", "tool_calls": [
            {"id": "call_e2e4", "function": {"name": "run_command", "arguments": {"command": "uptime"}}}]},
        {"role": "tool", "tool_name": "run_command", "tool_call_id": "call_e2e4", "content": "0.41 of pid PID"}]
    generate = lambda words, **fields: {"path": "/api/generate",
                                        "body": {"model": "codellama", "prompt": prompt(words), **fields}}
    return [ollama("Hello, naïve model ☕"), ollama("Hello again", stream=False, options={"temperature": 0.2, "num_ctx": 512}),
            ollama("Run `uptime` and `df -h /`", tools=TOOLS), ollama("Run `id`", tools=TOOLS, stream=False), result,
            ollama("Think demo:thinking", think=True), ollama("Where demo:error-404"),
            ollama("Packed, in small pieces demo:gzip demo:slow"), ollama("Long demo:big"),
            ollama("To the end demo:close"), ollama("Break off demo:break"),
            generate("Complete this demo:thinking"), generate("And this", stream=False, suffix="end")]


def endings():
    """What ends a connection."""
    return [openai("To the end demo:close"), anthropic("To the end demo:close"),
            openai("Break off demo:break"), anthropic("Break off demo:break", stream=True)]


def everything():
    return (basic() + tools() + shapes() + big() + of_responses() + of_embeddings() + of_anthropic() + of_ollama() +
            endings())
