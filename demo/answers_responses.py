"""OpenAI's Responses, and its embeddings."""

import base64
import json
import struct

from answers import Answer, OpenAi, compact, dialogue, pieces, text_of

OUTPUTS = ("function_call_output", "custom_tool_call_output")


class Responses(Answer):
    """With demo:search it looks something up by itself, with demo:incomplete it stops too early, with demo:failed it
    says that it failed. Parallel calls arrive in turns; tools of type custom take text instead of JSON."""

    word = "openai.responses"

    def __init__(self, request):
        given = request["input"]
        items = [{"role": "user", "content": given}] if isinstance(given, str) else given
        results = []
        while len(results) < len(items) and items[-1 - len(results)].get("type") in OUTPUTS:
            results.insert(0, text_of(items[-1 - len(results)]["output"]))
        asked, turns = dialogue(items, lambda item: item.get("type") in OUTPUTS)
        super().__init__(request, text_of(asked.get("content")), results, turns)
        self.custom = any(tool["type"] == "custom" for tool in request.get("tools") or [])

    error = staticmethod(OpenAi.error)

    def call_id(self, number):
        return f"call_{self.name[:20]}{number}"

    def own_calls(self):
        action = {"type": "search", "query": "demo", "sources": None}
        return [(f"ws_{self.name}", "web_search", action)] if "search" in self.markers else []

    @staticmethod
    def results_in(request):
        items = [] if isinstance(request["input"], str) else request["input"]
        return [item["call_id"] for item in items if item.get("type") in OUTPUTS]

    def status(self):
        return next((word for word in ("failed", "incomplete") if word in self.markers), "completed")

    def reason(self):
        return "max_output_tokens" if self.status() == "incomplete" else self.status()

    def content(self):
        return None if self.calls else self.text

    def items(self):
        items = []
        if self.thinking:
            items.append({"id": f"rs_{self.name}", "type": "reasoning", "encrypted_content": "ZW5jcnlwdGVk" * 4,
                          "summary": [{"type": "summary_text", "text": self.thinking}]})
        items += [{"id": call, "type": "web_search_call", "status": "completed", "action": action}
                  for call, _, action in self.own_calls()]
        for number, (name, arguments) in enumerate(self.calls):
            kind = {"type": "custom_tool_call", "input": arguments["command"]} if self.custom else \
                {"type": "function_call", "arguments": json.dumps(arguments)}
            items.append({"id": f"fc_{self.name[:20]}{number}", "call_id": self.call_id(number), "name": name,
                          "status": "completed", **kind})
        if not self.calls:
            part = {"type": "output_text", "annotations": [], "logprobs": [], "text": self.text}
            items.append({"id": f"msg_{self.name}", "type": "message", "status": "completed", "role": "assistant",
                          "content": [part]})
        return items

    def response(self, status, items):
        done = status in ("completed", "incomplete", "failed")
        usage = {"input_tokens": self.input_tokens, "input_tokens_details": {"cached_tokens": 64},
                 "output_tokens": self.output_tokens,
                 "output_tokens_details": {"reasoning_tokens": 16 if self.thinking else 0},
                 "total_tokens": self.input_tokens + self.output_tokens}
        echoed = {name: self.request.get(name) for name in ("instructions", "previous_response_id", "reasoning", "tools")}
        return {"id": f"resp_{self.name}", "object": "response", "created_at": 1767225600, "status": status,
                "error": {"code": "server_error", "message": "The model failed."} if status == "failed" else None,
                "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
                "model": self.model, "output": items, "service_tier": "default", "store": True, **echoed,
                "usage": usage if done else None}

    def whole(self):
        return compact(self.response(self.status(), self.items()))

    def stream(self):
        events = []

        def say(kind, **fields):
            body = {"type": kind, "sequence_number": len(events), **fields}
            events.append(b"event: %s\ndata: %s\n\n" % (kind.encode(), compact(body)))

        say("response.created", response=self.response("in_progress", []))
        say("response.in_progress", response=self.response("in_progress", []))
        items = self.items()
        in_turns = []
        for index, item in enumerate(items):
            place = {"item_id": item["id"], "output_index": index}
            if item["type"] == "message":
                self.say_message(say, item, place)
            elif item["type"] == "reasoning":
                self.say_reasoning(say, item, place)
            elif item["type"] == "web_search_call":
                say("response.output_item.added", output_index=index, item={**item, "status": "in_progress"})
                say("response.web_search_call.searching", **place)
                say("response.web_search_call.completed", **place)
            else:
                key, word = ("input", "custom_tool_call_input") if self.custom else ("arguments", "function_call_arguments")
                say("response.output_item.added", output_index=index, item={**item, key: "", "status": "in_progress"})
                in_turns.append((f"response.{word}", key, item, place, pieces(item[key])))
                continue
            say("response.output_item.done", output_index=index, item=item)
        for step in range(max((len(parts) for *_, parts in in_turns), default=0)):
            for word, _, _, place, parts in in_turns:
                if step < len(parts):
                    say(word + ".delta", **place, delta=parts[step], obfuscation="Xk4")
        for word, key, item, place, _ in in_turns:
            say(word + ".done", **place, **{key: item[key]})
            say("response.output_item.done", output_index=place["output_index"], item=item)
        say(f"response.{self.status()}", response=self.response(self.status(), items))
        return events

    @staticmethod
    def say_message(say, item, place):
        part = item["content"][0]
        say("response.output_item.added", output_index=place["output_index"],
            item={**item, "status": "in_progress", "content": []})
        place = {**place, "content_index": 0}
        say("response.content_part.added", **place, part={**part, "text": ""})
        for piece in pieces(part["text"]):
            say("response.output_text.delta", **place, delta=piece, logprobs=[], obfuscation="q7W")
        say("response.output_text.done", **place, text=part["text"], logprobs=[])
        say("response.content_part.done", **place, part=part)

    @staticmethod
    def say_reasoning(say, item, place):
        part = item["summary"][0]
        say("response.output_item.added", output_index=place["output_index"], item={**item, "summary": []})
        place = {**place, "summary_index": 0}
        say("response.reasoning_summary_part.added", **place, part={**part, "text": ""})
        for piece in pieces(part["text"]):
            say("response.reasoning_summary_text.delta", **place, delta=piece)
        say("response.reasoning_summary_text.done", **place, text=part["text"])
        say("response.reasoning_summary_part.done", **place, part=part)


class Embeddings(Answer):
    """Numbers that follow from the text."""

    word = "openai.embeddings"

    def __init__(self, request):
        given = request["input"]
        self.inputs = given if isinstance(given, list) and not isinstance(given[0], int) else [given]
        super().__init__(request, " ".join(text for text in self.inputs if isinstance(text, str)), [])
        self.streamed = False
        self.dimensions = request.get("dimensions", 8)

    error = staticmethod(OpenAi.error)

    def counts(self):
        return self.input_tokens, None

    def vectors(self):
        seed = sum(self.name.encode())
        return [[(seed * (place + 1) * (number + 3) % 2048 - 1024) / 1024 for place in range(self.dimensions)]
                for number in range(len(self.inputs))]

    def data(self):
        for number, vector in enumerate(self.vectors()):
            if self.request.get("encoding_format") == "base64":
                vector = base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
            yield {"object": "embedding", "index": number, "embedding": vector}

    def whole(self):
        return compact({"object": "list", "data": list(self.data()), "model": self.model,
                        "usage": {"prompt_tokens": self.input_tokens, "total_tokens": self.input_tokens}})
