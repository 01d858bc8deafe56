"""client.py LIBRARY PLAN [THREADS]: sends a plan's requests by one of Python's HTTP libraries; prints how many
answers came whole. `fork` sends each from a forked child of its own, over urllib."""

import http.client
import json
import os
import ssl
import sys
import threading
import urllib.error
import urllib.request

URL = os.environ["DEMO_URL"]
CONTEXT = ssl.create_default_context(cafile=os.environ["DEMO_CA"])
HEADERS = {"Content-Type": "application/json", "Authorization": "Bearer " + os.environ["OPENAI_API_KEY"],
           "X-Api-Key": os.environ["ANTHROPIC_API_KEY"], "Accept-Encoding": "gzip, deflate"}


def body_of(step):
    return json.dumps(step["body"]).replace("PID", str(os.getpid())).encode()


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
    host, port = URL.rsplit("/", 1)[1].split(":")
    connection = http.client.HTTPSConnection(host, int(port), context=CONTEXT)
    for step in plan:
        try:
            connection.request("POST", step["path"], body_of(step), HEADERS)
            connection.getresponse().read()
            yield True
        except (OSError, http.client.HTTPException):
            connection.close()
            yield False


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


def by_httpx(plan):
    import httpx
    with httpx.Client(verify=CONTEXT, timeout=60) as client:
        for step in plan:
            try:
                with client.stream("POST", URL + step["path"], content=body_of(step), headers=HEADERS) as answer:
                    for _ in answer.iter_bytes():
                        pass
                yield True
            except httpx.HTTPError:
                yield False


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
    workers = [threading.Thread(target=lambda part: whole.extend(globals()["by_" + library](part)),
                                args=(plan[number::threads],)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    print(f"{sum(whole)} of {len(plan)} whole")


main()
