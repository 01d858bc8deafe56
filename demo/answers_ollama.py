"""Ollama's own API: lines of JSON, streamed unless the request says no; it asks for no key."""

from answers import ERRORS, Answer, compact, dialogue, pieces, text_of
from answers_responses import Embeddings

MADE = {"created_at": "2026-01-01T00:00:00.000000000Z"}


def error(status):
    return compact({"error": ERRORS.get(status, ERRORS[500])[1]})


class Ollama(Answer):
    """What chat and generate share."""

    stream_type = "application/x-ndjson"
    needs_key = False
    streams_by_default = True
    error = staticmethod(error)

    def reason(self):
        return "stop"

    def last(self):
        return {"done_reason": self.reason(), "done": True, "total_duration": 4935886791, "load_duration": 534986708,
                "prompt_eval_count": self.input_tokens, "prompt_eval_duration": 107345000,
                "eval_count": self.output_tokens, "eval_duration": 4289432000}

    def line(self, said, end):
        return {"model": self.model, **MADE, **said, **end}

    def whole(self):
        return compact(self.line(self.all(), self.last()))

    def stream(self):
        for said in self.parts():
            yield compact(self.line(said, {"done": False})) + b"\n"
        yield compact(self.line(self.nothing(), self.last())) + b"\n"


class OllamaChat(Ollama):
    word = "ollama.chat"

    def __init__(self, request):
        messages = request["messages"]
        results = []
        while len(results) < len(messages) and messages[-1 - len(results)]["role"] == "tool":
            results.insert(0, messages[-1 - len(results)]["content"])
        asked, turns = dialogue(messages, lambda message: message["role"] == "tool")
        super().__init__(request, text_of(asked.get("content")), results, turns)

    def call_id(self, number):
        return f"call_{self.name[:8]}{number}"

    @staticmethod
    def results_in(request):
        return [message["tool_call_id"] for message in request["messages"] if message["role"] == "tool"]

    def content(self):
        return "" if self.calls else self.text

    def tool_call(self, number):
        name, arguments = self.calls[number]
        return {"id": self.call_id(number), "function": {"index": number, "name": name, "arguments": arguments}}

    @staticmethod
    def message(content="", **more):
        return {"message": {"role": "assistant", "content": content, **more}}

    def nothing(self):
        return self.message()

    def all(self):
        more = {"thinking": self.thinking} if self.thinking else {}
        if self.calls:
            more["tool_calls"] = [self.tool_call(number) for number in range(len(self.calls))]
        return self.message(self.content(), **more)

    def parts(self):
        yield from (self.message(thinking=piece) for piece in pieces(self.thinking))
        if self.calls:
            yield from (self.message(tool_calls=[self.tool_call(number)]) for number in range(len(self.calls)))
        else:
            yield from (self.message(piece) for piece in pieces(self.text))


class OllamaGenerate(Ollama):
    word = "ollama.generate"

    def __init__(self, request):
        super().__init__(request, request["prompt"], [])

    def nothing(self):
        return {"response": ""}

    def all(self):
        return {"response": self.text, **({"thinking": self.thinking} if self.thinking else {}), "context": [1, 2, 3]}

    def parts(self):
        yield from ({"response": "", "thinking": piece} for piece in pieces(self.thinking))
        yield from ({"response": piece} for piece in pieces(self.text))


class OllamaEmbed(Embeddings):
    word = "ollama.embed"
    needs_key = False
    error = staticmethod(error)

    def whole(self):
        return compact({"model": self.model, "embeddings": self.vectors(), "total_duration": 14143917,
                        "load_duration": 1019500, "prompt_eval_count": self.input_tokens})
