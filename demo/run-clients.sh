#!/bin/sh
# Small agents in three languages, talking to the demo provider: run-clients.sh PORT CAFILE
# The keys are made up, in the form that real ones have, so that one sees them masked.
set -eu
[ $# = 2 ] || { echo "usage: $0 PORT CAFILE" >&2; exit 2; }
here=$(dirname "$(readlink -f "$0")")
export DEMO_URL="https://localhost:$1" DEMO_CA="$2"
export OPENAI_API_KEY="sk-proj-demo$(printf 'Xk4%.0s' 1 2 3 4 5 6)T3BlbkFJ$(printf 'q7W%.0s' 1 2 3 4 5 6 7)"
export ANTHROPIC_API_KEY="sk-ant-api03-demo$(printf 'Zr8m%.0s' 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20)-9gAA"

missing() { echo "$1 is not installed: its part of the demo is skipped."; }

if command -v curl >/dev/null; then
  ask() {
    curl --silent --show-error --no-buffer --cacert "$DEMO_CA" "$DEMO_URL/v1/chat/completions" \
      --header "Authorization: Bearer $OPENAI_API_KEY" --header 'Content-Type: application/json' --data "$1" |
      sed -n 's/.*"content":"\([^"]*\)".*/\1/p; s/.*"message":"\([^"]*\)".*/The provider refused: \1\n/p' | tr -d '\n'
    echo
  }
  echo 'curl asks for a haiku, streamed, and then too often:'
  ask '{"model":"gpt-4o-mini","stream":true,"stream_options":{"include_usage":true},
        "messages":[{"role":"user","content":"Write a haiku about kernels"}]}'
  ask '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Another one demo:error-429"}]}'
else
  missing curl
fi
if command -v python3 >/dev/null; then python3 "$here/agent.py"; else missing python3; fi
if command -v node >/dev/null; then node "$here/agent.js"; else missing Node.js; fi
