#!/usr/bin/env python3
"""A provider of model answers on loopback, for `oisp-sensor demo` and for the tests.

It speaks OpenAI Chat Completions, Responses and Embeddings, Anthropic Messages, and Ollama's API, over
TLS (with --plain without), streamed or not, in the shapes that the real ones use. There is no model behind it: the answer follows
from the request (dialects.py), so a test knows what has to come. Every byte of it is real traffic all the
same.

At start it makes its own CA and certificate in a private folder, prints

    ready PORT CAFILE

and serves until SIGTERM or SIGINT (with --until-eof: until its standard input ends). The folder is
removed at its end. With --log FILE it appends a line of JSON for each exchange: what it received and
what it sent, byte for byte. That log is the truth that the tests compare events with.

Markers in the last message of a request choose how the answer is sent:

    demo:error-NNN  an error of that status, as the provider words it
    demo:gzip       compressed (also demo:deflate)
    demo:slow       in small pieces with pauses
    demo:big        1 MiB of text
    demo:break      the connection is dropped in the middle of the answer
    demo:thinking   with a part that shows the model's thinking
    demo:search     with a call of a tool that the provider runs itself (Anthropic, Responses)
    demo:redacted   with thinking that is hidden (Anthropic)
    demo:incomplete, demo:failed    with that status (Responses)
    demo:close      without a length: the end of the connection ends the body
    demo:chunked    an answer that is not streamed, in chunks

Besides: GET /health, and POST /echo, which are no model traffic.
"""

import argparse
import base64
import errno
import http.server
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import zlib

import dialects

MOST_BODY_BYTES = 64 << 20
SLOW_PIECE_BYTES = 48
SLOW_PAUSE_S = 0.002
BREAK_PAUSE_S = 0.2


def make_certificate(folder):
    """A CA and a certificate for localhost signed by it; returns (CA file, certificate file, key file)."""
    path = lambda name: os.path.join(folder, name)
    with open(path("extensions"), "w") as file:
        file.write("subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")

    def openssl(*arguments):
        done = subprocess.run(["openssl", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            sys.exit(f"provider.py: openssl {arguments[0]} failed: {done.stderr.strip()}")

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *key, "-keyout", path("ca.key"), "-out", path("ca.pem"), "-days", "2",
            "-subj", "/CN=oisp-sensor demo CA")
    openssl("req", *key, "-keyout", path("server.key"), "-out", path("server.csr"), "-subj", "/CN=localhost")
    openssl("x509", "-req", "-in", path("server.csr"), "-CA", path("ca.pem"), "-CAkey", path("ca.key"),
            "-CAcreateserial", "-days", "2", "-extfile", path("extensions"), "-out", path("server.pem"))
    os.remove(path("ca.key"))
    return path("ca.pem"), path("server.pem"), path("server.key")


def make_context(folder):
    os.chmod(folder, 0o711)  # Clients of other users read the CA's certificate; the keys stay 0600.
    ca, certificate, key = make_certificate(folder)
    os.chmod(ca, 0o644)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["http/1.1"])
    return ca, context


class ExchangeLog:
    """The log file. Numbers are given when a request has arrived, lines are written when its answer is out."""

    def __init__(self, name):
        self.file = open(name, "a", buffering=1) if name else None
        self.lock = threading.Lock()
        self.last = 0

    def number(self):
        with self.lock:
            self.last += 1
            return self.last

    def write(self, exchange):
        if self.file:
            with self.lock:
                self.file.write(json.dumps(exchange) + "\n")


class Exchange(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "demo-provider"
    timeout = 120

    def setup(self):
        # Here, not in accept: a slow handshake must hold up nobody else.
        self.request.settimeout(self.timeout)
        if not self.server.plain:
            self.request.do_handshake()
        super().setup()

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.exchange()

    do_POST = do_PUT = do_DELETE = do_HEAD = do_GET

    def exchange(self):
        body = self.read_body()
        self.entry = {
            "order": self.server.log.number(),
            "port": self.client_address[1],
            "method": self.command,
            "path": self.path,
            "request_bytes": len(body),
            "request_body": base64.b64encode(body).decode(),
        }
        self.sent = bytearray()
        self.status = 0
        self.how = set()
        complete = False
        try:
            self.answer(body)
            complete = "break" not in self.how
        except OSError:
            self.close_connection = True
        self.entry.update(status=self.status, complete=complete, how=sorted(self.how),
                          response_bytes=len(self.sent), response_body=base64.b64encode(bytes(self.sent)).decode())
        self.server.log.write(self.entry)

    def read_body(self):
        if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
            return self.rfile.read(min(int(self.headers.get("Content-Length") or 0), MOST_BODY_BYTES))
        body = bytearray()
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return bytes(body)

    def answer(self, body):
        path = self.path.split("?")[0]
        dialect = dialects.find(path)
        if path == "/echo":
            return self.send_whole(200, body, self.headers.get("Content-Type") or "application/octet-stream")
        if path == "/health":
            return self.send_whole(200, b"ok\n", "text/plain")
        if not dialect:
            return self.send_whole(404, b'{"error":{"message":"no such path"}}')

        if dialect.needs_key and not (self.headers.get("Authorization") or self.headers.get("X-Api-Key")):
            return self.send_whole(401, dialect.error(401))
        try:
            request = dialect(json.loads(body))
        except (ValueError, KeyError, TypeError, AttributeError, IndexError):
            return self.send_whole(400, dialect.error(400))
        self.how = request.markers
        for marker in self.how:
            if marker.startswith("error-"):
                return self.send_whole(int(marker[6:]), dialect.error(int(marker[6:])))
        if request.streamed:
            return self.send_stream(request.stream(), request.stream_type)
        return self.send_whole(200, request.whole())

    # How it goes out.

    def begin(self, status, content_type, length=None):
        """Sends the headers and returns (write, end) for the body."""
        self.status = status
        coder = None
        if self.how & {"gzip", "deflate"}:
            coder = zlib.compressobj(wbits=31 if "gzip" in self.how else 15)
            length = None
        chunked = length is None and "close" not in self.how
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        if coder:
            self.send_header("Content-Encoding", "gzip" if "gzip" in self.how else "deflate")
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif length is None:
            self.send_header("Connection", "close")
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(length))
        if status == 429:
            self.send_header("Retry-After", "1")
        self.end_headers()

        def send(data, behind=b""):
            if self.command == "HEAD":
                return
            self.sent += data
            framed = b"%x\r\n%s\r\n" % (len(data), data) if chunked and data else data
            if framed + behind:
                self.drip(framed + behind)

        def write(data):
            send(coder.compress(data) + coder.flush(zlib.Z_SYNC_FLUSH) if coder else data)

        def end():
            # In one piece: who has unpacked it all, need not wait for more.
            send(coder.flush() if coder else b"", b"0\r\n\r\n" if chunked else b"")

        return write, end

    def drip(self, data):
        if "slow" not in self.how:
            self.wfile.write(data)
            return
        for at in range(0, len(data), SLOW_PIECE_BYTES):
            self.wfile.write(data[at:at + SLOW_PIECE_BYTES])
            time.sleep(SLOW_PAUSE_S)

    def drop(self):
        """Ends the connection in the middle, as a crashed server does: no TLS close, no last chunk."""
        self.close_connection = True
        time.sleep(BREAK_PAUSE_S)  # a proxy in between passes on what came before, and not only the end
        socket.socket.shutdown(self.request, socket.SHUT_RDWR)

    def send_whole(self, status, body, content_type="application/json"):
        plain = not self.how & {"chunked", "close"}
        write, end = self.begin(status, content_type, len(body) if plain else None)
        if "break" in self.how:
            write(body[:len(body) // 2])
            return self.drop()
        write(body)
        return end()

    def send_stream(self, events, content_type):
        write, end = self.begin(200, content_type)
        events = list(events)
        for position, event in enumerate(events):
            if "break" in self.how and position == len(events) // 2:
                return self.drop()
            write(event)
        return end()


class Provider(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, host, port, context, log):
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), Exchange)
        self.plain = context is None
        if not self.plain:
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.log = log

    def handle_error(self, request, client_address):
        # A client that breaks off is an ordinary event here.
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def listen(port, context, log):
    """Providers on both addresses of `localhost`, at one port: not every client tries the second address."""
    while True:
        first = Provider("127.0.0.1", port, context, log)
        try:
            return [first, Provider("::1", first.server_address[1], context, log)]
        except OSError as reason:
            if reason.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                return [first]
            first.server_close()
            if reason.errno != errno.EADDRINUSE or port:
                raise


def main():
    parser = argparse.ArgumentParser(description="a provider of model answers on loopback")
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--log", help="append a line of JSON for each exchange")
    parser.add_argument("--plain", action="store_true", help="without TLS, as local model servers; CAFILE is `-`")
    parser.add_argument("--until-eof", action="store_true", help="end when standard input ends")
    options = parser.parse_args()

    folder = tempfile.mkdtemp(prefix="oisp-demo-")
    try:
        ca, context = ("-", None) if options.plain else make_context(folder)
        providers = listen(options.port, context, ExchangeLog(options.log))
        for provider in providers:
            threading.Thread(target=provider.serve_forever, daemon=True).start()
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: stop.set())
        print("ready", providers[0].server_address[1], ca, flush=True)
        if options.until_eof:
            threading.Thread(target=lambda: (sys.stdin.buffer.read(), stop.set()), daemon=True).start()
        stop.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    # Threads of open connections are daemons: leave without waiting for them.
    os._exit(0)


if __name__ == "__main__":
    main()
