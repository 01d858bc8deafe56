"""serve-and-ask.py LOG COMMAND…: a local model server of its own, and a client beside it: starts the provider without
TLS, runs the command with DEMO_URL at it, and prints the server's pid."""

import os
import subprocess
import sys

PROVIDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../demo/provider.py")

server = subprocess.Popen([sys.executable, PROVIDER, "--plain", "--until-eof", "--log", sys.argv[1]],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
port = server.stdout.readline().split()[1]
status = subprocess.run(sys.argv[2:], env={**os.environ, "DEMO_URL": f"http://localhost:{port}"}).returncode
print("server", server.pid, flush=True)
server.stdin.close()
server.wait()
sys.exit(status)
