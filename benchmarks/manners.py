"""How a server behaves where throughput is not the question."""

import contextlib
import functools
import http.client
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from benchmarks import clients
from benchmarks.clients import Times
from benchmarks.serving import Server
from benchmarks.wrk import Request, load

SLOW_CLIENTS = 100
CROWD = 200
PROBES = 100
SECONDS_BESIDE = 15


def in_a_crowd(server: Server, token: str, seconds: int) -> tuple[float, Times]:
    """Requests a second of many clients, and /health beside them."""
    with ThreadPoolExecutor(1) as beside:
        until = functools.partial(_enough, time.monotonic() + seconds)
        health = beside.submit(clients.probe, server.port, "/health", "", until)
        found = load(
            server.url,
            [Request("GET", "/jobs", token)],
            server.output.parent,
            seconds=seconds,
            connections=CROWD,
        )
        return found.per_second, health.result()


def beside_slow_clients(server: Server, token: str) -> dict[str, Times]:
    """What a request takes while others are slow."""
    headers = f"GET /users/me HTTP/1.1\r\nHost: x\r\nX-Slow: {'x' * 100}\r\n\r\n".encode()
    body = b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000
    large = b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n"
    kinds = {
        "slow headers": clients.dribbling(server.port, SLOW_CLIENTS, headers, 30),
        "slow bodies": clients.dribbling(server.port, SLOW_CLIENTS, body, 80),
        "slow readers": clients.not_reading(server.port, SLOW_CLIENTS, large),
    }
    found = {}
    for name, slow in kinds.items():
        with slow:
            time.sleep(2)
            until = functools.partial(_enough, time.monotonic() + SECONDS_BESIDE)
            found[name] = clients.probe(server.port, "/users/me", token, until)
        time.sleep(1)
    return found


def _enough(deadline: float, asked: int) -> bool:
    return asked >= PROBES or time.monotonic() > deadline


@dataclass(frozen=True)
class Ending:
    """What came of a SIGTERM while requests were being answered."""

    answers: dict[str, int]
    newcomers: dict[str, int]
    idle: str
    seconds: float


def ending(server: Server) -> Ending:
    """Tell the server to stop while eight requests take a second each. It is gone afterwards."""
    idle = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    idle.request("GET", "/health")
    idle.getresponse().read()
    newcomers: dict[str, int] = {}
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(_outcome, server.port, "/sleep") for _ in range(8)]
        time.sleep(0.4)
        began = time.monotonic()
        server.process.terminate()
        gone = threading.Thread(target=server.process.wait)
        gone.start()
        time.sleep(0.1)
        while gone.is_alive() and time.monotonic() - began < 0.5:
            outcome = _outcome(server.port, "/health")
            newcomers[outcome] = newcomers.get(outcome, 0) + 1
            time.sleep(0.02)
        try:
            idle.request("GET", "/health")
            on_idle = str(idle.getresponse().status)
        except (OSError, http.client.HTTPException) as error:
            on_idle = type(error).__name__
        gone.join(40)
        seconds = time.monotonic() - began
        answers: dict[str, int] = {}
        for future in asked:
            answers[future.result()] = answers.get(future.result(), 0) + 1
    return Ending(answers, newcomers, on_idle, seconds)


def _outcome(port: int, path: str) -> str:
    try:
        return str(clients.get(port, path))
    except (OSError, http.client.HTTPException) as error:
        return type(error).__name__


def oddities(server: Server) -> dict[str, str]:
    """What it answers to what no client of ours sends."""
    head = b"HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    large = 20 * 1024 * 1024
    upload = b"POST /upload %sContent-Length: %d\r\n\r\n" % (head, large)
    odd = {
        "a header of 100 KB": b"GET /health %sX-Large: %s\r\n\r\n" % (head, b"x" * 100_000),
        "a header of 1 MB": b"GET /health %sX-Large: %s\r\n\r\n" % (head, b"x" * 1_000_000),
        "a URL of 100 KB": b"GET /health?q=%s %s\r\n" % (b"x" * 100_000, head),
        "200 headers": b"GET /health %s%s\r\n" % (head, b"X-A: 1\r\n" * 200),
        "a raw byte in the URL": b"GET /health?q=\xff %s\r\n" % head,
        "raw UTF-8 in the path": "GET /zürich ".encode() + head + b"\r\n",
        "a space before the colon": b"GET /health %sX-Odd : 1\r\n\r\n" % head,
        "a header without a colon": b"GET /health %sodd\r\n\r\n" % head,
        "no Host": b"GET /health HTTP/1.1\r\nConnection: close\r\n\r\n",
        "both lengths": b"POST /upload %sContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"0\r\n\r\n" % head,
        "two lengths": b"POST /upload %sContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"
        % head,
        "a body in chunks": b"POST /upload %sTransfer-Encoding: chunked\r\n\r\n"
        b"5\r\nhello\r\n0\r\n\r\n" % head,
        "a body of 20 MB": upload + bytes(large),
        "HTTP/1.0": b"GET /health HTTP/1.0\r\n\r\n",
        "HTTP/2 without TLS": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "an unknown method": b"BREW /health %s\r\n" % head,
        "HEAD": b"HEAD /health %s\r\n" % head,
    }
    return {name: clients.status_line(server.port, request) for name, request in odd.items()}


def seen_by_the_application(server: Server) -> dict[str, str]:
    """What of the environ says who asks, and how."""
    answer = clients.ask_raw(
        server.port,
        b"GET /environ?a=%C3%BC HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n"
        b"X-Forwarded-For: 192.0.2.1, 198.51.100.7\r\nX-Forwarded-Proto: https\r\n"
        b"X_Forwarded_For: 203.0.113.9\r\n\r\n",
    )
    with contextlib.suppress(ValueError):
        environ = json.loads(answer.partition(b"\r\n\r\n")[2])
        shown = (
            "REMOTE_ADDR",
            "REMOTE_PORT",
            "HTTP_X_FORWARDED_FOR",
            "wsgi.url_scheme",
            "SERVER_NAME",
            "SERVER_PORT",
            "SERVER_PROTOCOL",
            "HTTP_HOST",
            "REQUEST_URI",
            "PATH",  # of this process: an environ is not to have it
        )
        return {name: str(environ.get(name, "-"))[:60] for name in shown}
    return {"answer": answer.partition(b"\r\n")[0].decode()}
