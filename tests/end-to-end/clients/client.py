"""client.py LIBRARY PLAN [THREADS]: sends a plan's requests by one of Python's HTTP libraries; prints how many
answers came whole. `fork` sends each from a forked child of its own, over urllib; `connection` knows each answer
and compares all of its bytes; `abort` reads the beginning of each answer.

With UNTIL=FILE it sends the plan over and over until that file is there, with PAUSE seconds between two requests."""

import http.client
import itertools
import json
import os
import socket
import ssl
import struct
import sys
import threading
import time
import urllib.error
import urllib.request
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../demo"))
import dialects  # noqa: E402

URL = os.environ["DEMO_URL"]
CONTEXT = ssl.create_default_context(cafile=os.environ["DEMO_CA"])
HEADERS = {"Content-Type": "application/json", "Authorization": "Bearer " + os.environ["OPENAI_API_KEY"],
           "X-Api-Key": os.environ["ANTHROPIC_API_KEY"], "Accept-Encoding": "gzip, deflate"}
UNTIL = os.environ.get("UNTIL")
PAUSE = float(os.environ.get("PAUSE") or 0)


def rounds(plan):
    """The steps of a plan, once or until the end is told. No two are the same."""
    for number in itertools.count():
        for step in plan:
            if UNTIL and os.path.exists(UNTIL):
                return
            yield {**step, "round": number}
            time.sleep(PAUSE)
        if not UNTIL:
            return


def body_of(step):
    who = f"{os.getpid()} in round {step['round']}" if step["round"] else str(os.getpid())
    return json.dumps(step["body"]).replace("PID", who).encode()


def expected(path, body):
    """The body that the provider answers with."""
    if path == "/echo":
        return body
    request = dialects.find(path)(json.loads(body))
    for marker in request.markers:
        if marker.startswith("error-"):
            return request.error(int(marker[6:]))
    return b"".join(request.stream()) if request.streamed else request.whole()


def decoded(answer):
    body = answer.read()
    return zlib.decompressobj(wbits=47).decompress(body) if answer.headers.get("Content-Encoding") else body


def connect():
    scheme, place = URL.split("://")
    host, port = place.split(":")
    if scheme == "http":
        return http.client.HTTPConnection(host, int(port))
    return http.client.HTTPSConnection(host, int(port), context=CONTEXT)


def by_urllib(plan):
    for step in plan:
        request = urllib.request.Request(URL + step["path"], body_of(step), HEADERS)
        try:
            with urllib.request.urlopen(request, context=CONTEXT) as answer:
                answer.read()
            yield True
        except urllib.error.HTTPError as error:
            error.read()
            yield True
        except (OSError, http.client.HTTPException):
            yield False


def by_connection(plan):
    """http.client: one connection for as long as the server keeps it."""
    connection = connect()
    for step in plan:
        try:
            body = body_of(step)
            connection.request("POST", step["path"], body, HEADERS)
            yield decoded(connection.getresponse()) == expected(step["path"], body)
        except (OSError, http.client.HTTPException):
            connection.close()
            yield False


def by_abort(plan):
    """A connection for each, reset in the middle of its answer."""
    for step in plan:
        connection = connect()
        connection.request("POST", step["path"], body_of(step), HEADERS)
        answer = connection.getresponse()
        yield len(answer.read(1000)) == 1000
        answer.fp.raw._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        answer.close()
        connection.close()


def by_fork(plan):
    for step in plan:
        child = os.fork()
        if child == 0:
            os._exit(0 if all(by_urllib([step])) else 1)
        yield os.waitpid(child, 0)[1] == 0


def by_requests(plan):
    import requests
    with requests.Session() as session:
        for step in plan:
            try:
                session.post(URL + step["path"], body_of(step), headers=HEADERS, verify=os.environ["DEMO_CA"])
                yield True
            except requests.RequestException:
                yield False


def by_httpx(plan, http2=False):
    import httpx
    with httpx.Client(verify=CONTEXT, timeout=60, http2=http2) as client:
        for step in plan:
            try:
                with client.stream("POST", URL + step["path"], content=body_of(step), headers=HEADERS) as answer:
                    for _ in answer.iter_bytes():
                        pass
                yield True
            except httpx.HTTPError:
                yield False


def by_httpx2(plan):
    yield from by_httpx(plan, http2=True)


def by_aiohttp(plan):
    import asyncio
    import aiohttp

    async def send():
        whole = []
        async with aiohttp.ClientSession() as session:
            for step in plan:
                try:
                    async with session.post(URL + step["path"], data=body_of(step), headers=HEADERS,
                                            ssl=CONTEXT) as answer:
                        await answer.read()
                    whole.append(True)
                except (aiohttp.ClientError, OSError):
                    whole.append(False)
        return whole

    yield from asyncio.run(send())


def main():
    library, plan = sys.argv[1], json.load(open(sys.argv[2]))
    threads = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    whole = []
    if os.environ.get("ASK_FIRST"):  # as Ollama's own client does, on a connection of its own
        first = connect()
        for method, path in (("HEAD", "/"), ("GET", "/api/tags")):
            first.request(method, path, headers=HEADERS)
            first.getresponse().read()
    workers = [threading.Thread(target=lambda part: whole.extend(globals()["by_" + library](rounds(part))),
                                args=(plan[number::threads],)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    print(f"{sum(whole)} of {len(whole)} whole", flush=True)


main()
