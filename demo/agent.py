"""An agent of thirty lines: asks for a task, runs the tools that the model asks for, sends back what they said."""

import json
import os
import ssl
import subprocess
import urllib.request

TOOLS = [{"name": "Bash", "description": "Run a shell command",
          "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}}}]
CONTEXT = ssl.create_default_context(cafile=os.environ["DEMO_CA"])


def ask(messages):
    body = {"model": "claude-sonnet-4-5", "max_tokens": 1024, "tools": TOOLS, "messages": messages}
    headers = {"x-api-key": os.environ["ANTHROPIC_API_KEY"], "anthropic-version": "2023-06-01",
               "content-type": "application/json"}
    request = urllib.request.Request(os.environ["DEMO_URL"] + "/v1/messages", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, context=CONTEXT) as answer:
        return json.load(answer)


print("python3 has a tool, and uses it:")
messages = [{"role": "user", "content": "Which kernel runs here, and who am I? Use `uname -sr` and `id -un`."}]
while True:
    answer = ask(messages)
    messages.append({"role": "assistant", "content": answer["content"]})
    results = []
    for block in answer["content"]:
        if block["type"] == "text":
            print(block["text"])
        elif block["type"] == "tool_use":
            done = subprocess.run(["sh", "-c", block["input"]["command"]], capture_output=True, text=True)
            results.append({"type": "tool_result", "tool_use_id": block["id"], "content": done.stdout + done.stderr})
    if not results:
        break
    messages.append({"role": "user", "content": results})
