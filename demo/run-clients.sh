#!/bin/sh
# Small agents in three languages, talking to the demo provider: run-clients.sh PORT CAFILE
# The keys are made up, in the form that real ones have, so that one sees them masked. The shell does what
# it can by itself, so that the programs one sees executed are those that matter.
set -eu
[ $# = 2 ] || { echo "usage: $0 PORT CAFILE" >&2; exit 2; }
case $0 in */*) here=${0%/*} ;; *) here=. ;; esac
export DEMO_URL="https://localhost:$1" DEMO_CA="$2"
export OPENAI_API_KEY="sk-proj-demo$(printf 'Xk4%.0s' 1 2 3 4 5 6)T3BlbkFJ$(printf 'q7W%.0s' 1 2 3 4 5 6 7)"
export ANTHROPIC_API_KEY="sk-ant-api03-demo$(printf 'Zr8m%.0s' 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20)-9gAA"

missing() { echo "$1 is not installed: its part of the demo is skipped."; }

# The text of an answer, streamed or not, and of an error.
words() {
  while IFS= read -r line || [ -n "$line" ]; do
    case $line in
      *'"content":"'*) rest=${line#*'"content":"'} ;;
      *'"error":{"message":"'*) rest=${line#*'"message":"'}; printf 'The provider refused: ' ;;
      *) continue ;;
    esac
    printf '%s' "${rest%%\"*}"
  done
  echo
}

if command -v curl >/dev/null; then
  ask() {
    curl --silent --show-error --no-buffer --cacert "$DEMO_CA" "$DEMO_URL/v1/chat/completions" \
      --header "Authorization: Bearer $OPENAI_API_KEY" --header 'Content-Type: application/json' --data "$1" | words
  }
  echo 'curl asks for a haiku, streamed, and then too often:'
  ask '{"model":"gpt-4o-mini","stream":true,"stream_options":{"include_usage":true},
        "messages":[{"role":"user","content":"Write a haiku about kernels"}]}'
  ask '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Another one demo:error-429"}]}'
else
  missing curl
fi

# Debian's own Python where it is: a version manager's would execute a dozen programs first.
python=/usr/bin/python3
[ -x $python ] || python=python3
if command -v $python >/dev/null; then $python "$here/agent.py"; else missing python3; fi
if command -v node >/dev/null; then node "$here/agent.js"; else missing Node.js; fi
