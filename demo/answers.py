"""What the demo provider answers: one request in, the same answer out every time, in every dialect. Those of
OpenAI's Chat Completions and of Anthropic are here, others in answers_*.py; dialects.py has the table of all.

The answer follows from what the user said last, and from how often tool results came back since:
  * the user's text holds commands in `backticks` and the request offers tools: one tool call each, of the first tool
    that is offered, or of the one that a command names (`NAME {"argument": …}`);
  * where `demo:then` parts that text, the second part is for the turn after the first results, and so on;
  * nothing of it is left to do, and results came back: a sentence about them;
  * otherwise a sentence about the question.
"""

import hashlib
import json
import re

BIG_BYTES = 1 << 20
MARKER = re.compile(r"demo:([a-z]+(?:-\d+)?)")
COMMAND = re.compile(r"`([^`]+)`")
NEXT_TURN = "demo:then"

ERRORS = {
    400: ("invalid_request_error", "The body is not a request that I know."),
    401: ("authentication_error", "No API key was sent."),
    403: ("permission_error", "This key may not use this model."),
    404: ("not_found_error", "No such model."),
    429: ("rate_limit_error", "Rate limit reached: 3 requests a minute. Please try again in 20 s."),
    500: ("api_error", "The server had an error while processing your request."),
    529: ("overloaded_error", "Overloaded"),
}


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def text_of(content):
    """The text of a message's content: a string, or parts."""
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text") or text_of(part.get("content") or "") for part in content or [])


def dialogue(items, is_result):
    """The last of these that the user said, and how many turns of results came after it."""
    asked = max((place for place, item in enumerate(items) if item.get("role") == "user" and not is_result(item)),
                default=None)
    if asked is None:
        return {}, 0
    after = [is_result(item) for item in items[asked:]]
    return items[asked], sum(bool(now and not before) for before, now in zip(after, after[1:]))


def pieces(text):
    """Text as a model would stream it: words; long text in bigger steps."""
    if len(text) > 20000:
        return [text[at:at + 4000] for at in range(0, len(text), 4000)]
    return re.findall(r"\S+\s*|\s+", text)


class Answer:
    """What the dialects share: reading the request and deciding what to say. A test asks besides: reason() the
    provider's word for why the answer ends, call_id() of each of the `calls`, own_calls() of tools that the
    provider runs itself, counts() what it says of tokens, content() what it says in words, and results_in()
    which results of calls a request brings."""

    stream_type = "text/event-stream; charset=utf-8"
    needs_key = True
    streams_by_default = False

    def __init__(self, request, text, results, turns=0):
        self.request = request
        text = "".join(text.split(NEXT_TURN)[turns:turns + 1])
        self.model = request["model"]
        self.streamed = bool(request.get("stream", self.streams_by_default))
        self.markers = set(MARKER.findall(text))
        self.name = hashlib.sha256(compact(request)).hexdigest()[:24]
        self.input_tokens = len(compact(request)) // 4
        self.thinking = "I look at the question, then at the tools that I have." if "thinking" in self.markers else ""
        self.calls = []
        commands = COMMAND.findall(text)
        if commands and request.get("tools"):
            self.calls = [self.call_of(command) for command in commands]
            self.text = "I will run that."
        elif results:
            self.text = "The tool says: " + " · ".join(result.strip()[:200] for result in results)
        elif "big" in self.markers:
            self.text = ("All work and no play makes a naïve model – ☕. " * (BIG_BYTES // 40))[:BIG_BYTES]
        else:
            question = " ".join(MARKER.sub("", text).split())
            self.text = f"You asked: “{question[:120]}”. I am a demo, so this is all that I know – naïve, but true. ✓"
        self.output_tokens = len(self.text) // 4 + 12 * len(self.calls)

    def call_of(self, command):
        tools = [tool.get("function") or tool for tool in self.request["tools"]]
        names = [tool["name"] for tool in tools if "name" in tool]
        name, _, arguments = command.partition(" ")
        if name in names and arguments.startswith("{"):
            return name, json.loads(arguments)
        tool = next(tool for tool in tools if "name" in tool)
        schema = tool.get("parameters") or tool.get("input_schema") or {}
        return names[0], {(schema.get("required") or ["command"])[0]: command}

    @staticmethod
    def results_in(_):
        return []

    def own_calls(self):
        return []

    def content(self):
        return self.text

    def counts(self):
        return self.input_tokens, self.output_tokens


class OpenAi(Answer):
    """Chat Completions."""

    word = "openai.chat_completions"

    def __init__(self, request):
        messages = request["messages"]
        results = []
        while len(results) < len(messages) and messages[-1 - len(results)]["role"] == "tool":
            results.insert(0, text_of(messages[-1 - len(results)]["content"]))
        asked, turns = dialogue(messages, lambda message: message["role"] == "tool")
        super().__init__(request, text_of(asked.get("content")), results, turns)

    @staticmethod
    def error(status):
        kind, message = ERRORS.get(status, ERRORS[500])
        return compact({"error": {"message": message, "type": kind, "param": None, "code": None}})

    def tool_calls(self):
        return [{"id": self.call_id(number), "type": "function",
                 "function": {"name": name, "arguments": json.dumps(arguments)}}
                for number, (name, arguments) in enumerate(self.calls)]

    def call_id(self, number):
        return f"call_{self.name[:20]}{number}"

    @staticmethod
    def results_in(request):
        return [message["tool_call_id"] for message in request["messages"] if message["role"] == "tool"]

    def reason(self):
        return "tool_calls" if self.calls else "stop"

    def content(self):
        return None if self.calls else self.text

    def counts(self):
        told = not self.streamed or (self.request.get("stream_options") or {}).get("include_usage")
        return super().counts() if told else (None, None)

    def usage(self):
        reasoning = 16 if self.thinking else 0
        return {"prompt_tokens": self.input_tokens, "completion_tokens": self.output_tokens,
                "total_tokens": self.input_tokens + self.output_tokens,
                "prompt_tokens_details": {"cached_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": reasoning}}

    def head(self, kind):
        return {"id": "chatcmpl-" + self.name, "object": kind, "created": 1767225600, "model": self.model}

    def whole(self):
        message = {"role": "assistant", "content": self.text, "refusal": None}
        if self.thinking:
            message["reasoning_content"] = self.thinking
        if self.calls:
            message.update(content=None, tool_calls=self.tool_calls())
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self.reason()}
        return compact({**self.head("chat.completion"), "choices": [choice], "usage": self.usage()})

    def stream(self):
        head = self.head("chat.completion.chunk")
        with_usage = (self.request.get("stream_options") or {}).get("include_usage")

        def chunk(delta, finish=None):
            body = {**head, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]}
            return b"data: " + compact({**body, "usage": None} if with_usage else body) + b"\n\n"

        yield chunk({"role": "assistant", "content": None if self.calls else ""})
        for piece in pieces(self.thinking):
            yield chunk({"reasoning_content": piece})
        if self.calls:
            calls = self.tool_calls()
            for number, call in enumerate(calls):
                function = {"name": call["function"]["name"], "arguments": ""}
                yield chunk({"tool_calls": [{"index": number, "id": call["id"], "type": "function",
                                             "function": function}]})
            # Parallel calls: their arguments arrive in turns.
            parts = [pieces(call["function"]["arguments"]) for call in calls]
            for step in range(max(map(len, parts))):
                for number, part in enumerate(parts):
                    if step < len(part):
                        yield chunk({"tool_calls": [{"index": number, "function": {"arguments": part[step]}}]})
        else:
            for piece in pieces(self.text):
                yield chunk({"content": piece})
        yield chunk({}, self.reason())
        if with_usage:
            yield b"data: " + compact({**head, "choices": [], "usage": self.usage()}) + b"\n\n"
        yield b"data: [DONE]\n\n"


SEARCH_RESULT = [{"type": "web_search_result", "title": "A page", "url": "https://demo.example/page",
                  "encrypted_content": "ZW5jcnlwdGVk", "page_age": None}]


class Anthropic(Answer):
    """Messages. With demo:search it looks something up by itself, with demo:redacted it hides its thinking."""

    word = "anthropic.messages"

    def __init__(self, request):
        results = [text_of(part.get("content") or "") for part in self.result_parts(request["messages"][-1])]
        asked, turns = dialogue(request["messages"], self.result_parts)
        super().__init__(request, text_of(asked.get("content")), results, turns)
        request["max_tokens"]  # The real one insists on it.

    @staticmethod
    def error(status):
        kind, message = ERRORS.get(status, ERRORS[500])
        return compact({"type": "error", "error": {"type": kind, "message": message}})

    def blocks(self):
        blocks = [{"type": "thinking", "thinking": self.thinking, "signature": "c2lnbmVk" * 4}] if self.thinking else []
        if "redacted" in self.markers:
            blocks.append({"type": "redacted_thinking", "data": "cmVkYWN0ZWQ=" * 4})
        for call, name, arguments in self.own_calls():
            blocks.append({"type": "server_tool_use", "id": call, "name": name, "input": arguments})
            blocks.append({"type": "web_search_tool_result", "tool_use_id": call, "content": SEARCH_RESULT})
        blocks.append({"type": "text", "text": self.text})
        return blocks + [{"type": "tool_use", "id": self.call_id(number), "name": name, "input": arguments}
                         for number, (name, arguments) in enumerate(self.calls)]

    def own_calls(self):
        return [(f"srvtoolu_{self.name[:20]}", "web_search", {"query": "demo"})] if "search" in self.markers else []

    def call_id(self, number):
        return f"toolu_{self.name[:20]}{number}"

    @staticmethod
    def result_parts(message):
        content = message["content"]
        return [] if isinstance(content, str) else [part for part in content if part["type"] == "tool_result"]

    @classmethod
    def results_in(cls, request):
        return [part["tool_use_id"] for message in request["messages"] for part in cls.result_parts(message)]

    def usage(self, output_tokens):
        usage = {"input_tokens": self.input_tokens, "cache_creation_input_tokens": 7, "cache_read_input_tokens": 64,
                 "cache_creation": {"ephemeral_5m_input_tokens": 7, "ephemeral_1h_input_tokens": 0},
                 "output_tokens": output_tokens, "service_tier": "standard"}
        return {**usage, "server_tool_use": {"web_search_requests": 1}} if self.own_calls() else usage

    def message(self, content, stop_reason, output_tokens):
        return {"id": "msg_" + self.name, "type": "message", "role": "assistant", "model": self.model,
                "content": content, "stop_reason": stop_reason, "stop_sequence": None,
                "usage": self.usage(output_tokens)}

    def reason(self):
        return "tool_use" if self.calls else "end_turn"

    def whole(self):
        return compact(self.message(self.blocks(), self.reason(), self.output_tokens))

    def stream(self):
        def event(kind, **fields):
            return b"event: %s\ndata: %s\n\n" % (kind.encode(), compact({"type": kind, **fields}))

        yield event("message_start", message=self.message([], None, 1))
        for number, block in enumerate(self.blocks()):
            kind = block["type"]
            if kind == "text":
                empty, deltas = {"type": "text", "text": ""}, [
                    {"type": "text_delta", "text": piece} for piece in pieces(block["text"])]
            elif kind == "thinking":
                empty = {"type": "thinking", "thinking": "", "signature": ""}
                deltas = [{"type": "thinking_delta", "thinking": piece} for piece in pieces(block["thinking"])]
                deltas.append({"type": "signature_delta", "signature": block["signature"]})
            else:
                empty, deltas = block, []  # hidden thinking, and what was found: whole at once
            if kind.endswith("tool_use"):
                empty = {**block, "input": {}}
                deltas = [{"type": "input_json_delta", "partial_json": piece}
                          for piece in ["", *pieces(json.dumps(block["input"]))]]
            yield event("content_block_start", index=number, content_block=empty)
            if number == 0:
                yield event("ping")
            for delta in deltas:
                yield event("content_block_delta", index=number, delta=delta)
            yield event("content_block_stop", index=number)
        yield event("message_delta", delta={"stop_reason": self.reason(), "stop_sequence": None},
                    usage={"output_tokens": self.output_tokens})
        yield event("message_stop")


class AnthropicCount(Anthropic):
    """Messages that are only counted."""

    word = "anthropic.count_tokens"

    def __init__(self, request):
        super().__init__({"max_tokens": 0, **request})
        self.streamed = False

    def whole(self):
        return compact({"input_tokens": self.input_tokens})

    def content(self):
        return None

    def reason(self):
        return None

    def counts(self):
        return self.input_tokens, None
