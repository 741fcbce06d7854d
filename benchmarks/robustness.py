"""How a server behaves with many clients, slow clients, unusual requests, and at shutdown."""

import contextlib
import functools
import http.client
import json
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from benchmarks import clients
from benchmarks.clients import Latencies
from benchmarks.server_process import Server
from benchmarks.wrk import Request, load

SLOW_CLIENTS = 100
MANY_CLIENTS = 200
# Requests of a measurement of latencies, and its maximum duration in seconds.
MAX_PROBES = 100
MAX_SECONDS = 15


def many_clients(server: Server, token: str, seconds: int) -> tuple[float, Latencies]:
    """The throughput of ``GET /jobs`` with many connections, and the latencies of ``/health``."""
    with ThreadPoolExecutor(1) as executor:
        until = functools.partial(_is_enough, time.monotonic() + seconds)
        health = executor.submit(clients.measure_latencies, server.port, "/health", "", until)
        result = load(
            server.url,
            [Request("GET", "/jobs", token)],
            server.output.parent,
            seconds=seconds,
            connections=MANY_CLIENTS,
        )
        return result.per_second, health.result()


def slow_clients(server: Server, token: str) -> dict[str, Latencies]:
    """The latencies of ``GET /users/me`` beside each kind of slow client."""
    headers = f"GET /users/me HTTP/1.1\r\nHost: x\r\nX-Slow: {'x' * 100}\r\n\r\n".encode()
    body = b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000
    large = b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n"
    kinds = {
        "slow headers": clients.slow_senders(server.port, SLOW_CLIENTS, headers, 30),
        "slow bodies": clients.slow_senders(server.port, SLOW_CLIENTS, body, 80),
        "slow receivers": clients.slow_receivers(server.port, SLOW_CLIENTS, large),
    }
    latencies = {}
    for kind, connections in kinds.items():
        with connections:
            time.sleep(2)
            until = functools.partial(_is_enough, time.monotonic() + MAX_SECONDS)
            latencies[kind] = clients.measure_latencies(server.port, "/users/me", token, until)
        time.sleep(1)
    return latencies


def _is_enough(deadline: float, count: int) -> bool:
    return count >= MAX_PROBES or time.monotonic() > deadline


@dataclass(frozen=True)
class Shutdown:
    """The outcomes of requests around a SIGTERM: status or exception, with counts."""

    running_requests: dict[str, int]
    new_connections: dict[str, int]
    idle_connection: str
    seconds: float


def shut_down(server: Server) -> Shutdown:
    """Terminate the server while eight requests run that take a second each."""
    idle = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    idle.request("GET", "/health")
    idle.getresponse().read()
    new_connections: Counter[str] = Counter()
    with ThreadPoolExecutor(8) as executor:
        running = [executor.submit(_outcome, server.port, "/sleep") for _ in range(8)]
        time.sleep(0.4)
        started = time.monotonic()
        server.process.terminate()
        waiting = threading.Thread(target=server.process.wait)
        waiting.start()
        time.sleep(0.1)
        while waiting.is_alive() and time.monotonic() - started < 0.5:
            new_connections[_outcome(server.port, "/health")] += 1
            time.sleep(0.02)
        try:
            idle.request("GET", "/health")
            idle_connection = str(idle.getresponse().status)
        except (OSError, http.client.HTTPException) as error:
            idle_connection = type(error).__name__
        waiting.join(40)
        seconds = time.monotonic() - started
        outcomes = Counter(future.result() for future in running)
    return Shutdown(dict(outcomes), dict(new_connections), idle_connection, seconds)


def _outcome(port: int, path: str) -> str:
    try:
        return str(clients.get(port, path))
    except (OSError, http.client.HTTPException) as error:
        return type(error).__name__


def unusual_requests(server: Server) -> dict[str, str]:
    """The status lines of responses to large, malformed and rare requests."""
    head = b"HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    large = 20 * 1024 * 1024
    upload = b"POST /upload %sContent-Length: %d\r\n\r\n" % (head, large)
    requests = {
        "a header of 100 KB": b"GET /health %sX-Large: %s\r\n\r\n" % (head, b"x" * 100_000),
        "a header of 1 MB": b"GET /health %sX-Large: %s\r\n\r\n" % (head, b"x" * 1_000_000),
        "a URL of 100 KB": b"GET /health?q=%s %s\r\n" % (b"x" * 100_000, head),
        "200 headers": b"GET /health %s%s\r\n" % (head, b"X-A: 1\r\n" * 200),
        "a raw byte in the URL": b"GET /health?q=\xff %s\r\n" % head,
        "raw UTF-8 in the path": "GET /zürich ".encode() + head + b"\r\n",
        "a space before the colon": b"GET /health %sX-Odd : 1\r\n\r\n" % head,
        "a header without a colon": b"GET /health %sodd\r\n\r\n" % head,
        "no Host": b"GET /health HTTP/1.1\r\nConnection: close\r\n\r\n",
        "Content-Length and Transfer-Encoding": b"POST /upload %sContent-Length: 5\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" % head,
        "two different lengths": b"POST /upload %sContent-Length: 5\r\nContent-Length: 6\r\n\r\n"
        b"hello!" % head,
        "a chunked body": b"POST /upload %sTransfer-Encoding: chunked\r\n\r\n"
        b"5\r\nhello\r\n0\r\n\r\n" % head,
        "a body of 20 MB": upload + bytes(large),
        "HTTP/1.0": b"GET /health HTTP/1.0\r\n\r\n",
        "HTTP/2 without TLS": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "an unknown method": b"BREW /health %s\r\n" % head,
        "HEAD": b"HEAD /health %s\r\n" % head,
    }
    return {name: clients.status_line(server.port, request) for name, request in requests.items()}


def environ(server: Server) -> dict[str, str]:
    """The keys of the WSGI environ that describe the client and the URL."""
    response = clients.send_raw(
        server.port,
        b"GET /environ?a=%C3%BC HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n"
        b"X-Forwarded-For: 192.0.2.1, 198.51.100.7\r\nX-Forwarded-Proto: https\r\n"
        b"X_Forwarded_For: 203.0.113.9\r\n\r\n",
    )
    with contextlib.suppress(ValueError):
        values = json.loads(response.partition(b"\r\n\r\n")[2])
        keys = (
            "REMOTE_ADDR",
            "REMOTE_PORT",
            "HTTP_X_FORWARDED_FOR",
            "wsgi.url_scheme",
            "SERVER_NAME",
            "SERVER_PORT",
            "SERVER_PROTOCOL",
            "HTTP_HOST",
            "REQUEST_URI",
            "PATH",  # an environment variable of the process: it should not be there
        )
        return {key: str(values.get(key, "-"))[:60] for key in keys}
    return {"response": response.partition(b"\r\n")[0].decode()}
