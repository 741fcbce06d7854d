"""Clients that do nothing hold nothing for long: no connection, no thread, no memory."""

import contextlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from jobtracker.servers.transfers import STALLED_AFTER
from tests.common.running_clock import running_time
from tests.common.slow_clients import connect, connections, seconds_until_closed
from tests.common.toy_server import ToyServer, receive

LIMITS = {
    "connection_limit": 60,
    "header_seconds": 1,
    "body_seconds": 1,
    "response_seconds": 2,
    "max_buffered_bytes": 20_000_000,
}
IDLE = 3
GET = b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n"
LARGE = GET % b"large/9000000"


def start(kind: str, **changes: float) -> ToyServer:
    idle = {"granian": "idle_seconds", "waitress": "channel_timeout"}[kind]
    options = {**LIMITS, idle: IDLE, **changes}
    return ToyServer(kind, *(f"{name}={value}" for name, value in options.items()))


@pytest.fixture(scope="module", params=["granian", "waitress"])
def strict(request: pytest.FixtureRequest) -> Iterator[ToyServer]:
    """A server with low limits."""
    server = start(request.param)
    yield server
    assert "Traceback" not in server.log()
    server.close()


@pytest.fixture(scope="module", params=["granian", "waitress"])
def patient(request: pytest.FixtureRequest) -> Iterator[ToyServer]:
    """A server that waits for headers, for bodies and for readers of responses."""
    seconds = dict.fromkeys(("header_seconds", "body_seconds", "response_seconds"), 60)
    server = start(request.param, **seconds)
    yield server
    assert "Traceback" not in server.log()
    server.close()


@pytest.fixture(params=["granian", "waitress"])
def small(request: pytest.FixtureRequest) -> Iterator[ToyServer]:
    """A server with little room for responses."""
    server = start(request.param, max_buffered_bytes=5_000_000)
    yield server
    assert "Traceback" not in server.log()
    server.close()


def seconds_of(server: ToyServer, requests: dict[str, tuple[bytes, bytes]]) -> dict[str, float]:
    """Seconds until the connections of clients that are all there at once are closed.

    :param requests: what each client sends, and what it sends again and again then
    """

    def measure(request_and_drip: tuple[bytes, bytes]) -> float:
        request, drip = request_and_drip
        with connect(server.port) as client:
            client.sendall(request)
            if request.endswith(b"\r\n\r\n"):
                assert receive(client).status == 200
            return seconds_until_closed(client, drip=drip)

    with ThreadPoolExecutor(len(requests)) as threads:
        return dict(zip(requests, threads.map(measure, requests.values()), strict=True))


def test_connection_without_a_complete_header_is_closed(strict: ToyServer):
    requests = {
        "silent": (b"", b""),
        "a byte": (b"G", b""),
        "a line": (b"GET / HTTP/1.1\r\n", b""),
        "dripping header": (b"GET / HTTP/1.1\r\nX: ", b"x"),
        "blank lines": (b"", b"\r\n"),
        "HTTP/2": (b"PRI * HTTP/2.0\r\n", b""),
    }
    seconds = seconds_of(strict, requests)
    assert max(seconds.values()) < LIMITS["header_seconds"] + 2, seconds


def test_connection_without_a_second_request_is_closed(strict: ToyServer):
    drips = {"silent": b"", "a header": b"x", "blank lines": b"\r\n"}
    seconds = seconds_of(strict, {name: (GET % b"health", drip) for name, drip in drips.items()})
    assert max(seconds.values()) < IDLE + 2, seconds


def test_connection_is_kept_between_two_requests(strict: ToyServer):
    with connect(strict.port) as client:
        for pause in (LIMITS["header_seconds"] + 1, 0):
            client.sendall(GET % b"health")
            assert receive(client).status == 200
            time.sleep(pause)


def test_dripping_body_is_answered_with_400(strict: ToyServer):
    def status(headers: bytes) -> int:
        with connect(strict.port) as client:
            client.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\n" + headers)
            began = time.monotonic()
            client.settimeout(0.1)
            while time.monotonic() - began < LIMITS["body_seconds"] + 1:
                client.sendall(b"x")
                time.sleep(0.05)
            client.settimeout(5)
            return receive(client).status

    headers = [b"Content-Length: 9000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n5000\r\n"]
    with ThreadPoolExecutor(len(headers)) as threads:
        assert list(threads.map(status, headers)) == [400, 400]


def test_unread_response_is_discarded_and_its_connection_closed(strict: ToyServer):
    with connect(strict.port) as client:
        client.sendall(LARGE)
        time.sleep(LIMITS["response_seconds"] + 2)
        assert seconds_until_closed(client) < 1


def test_response_that_is_read_slowly_is_discarded(strict: ToyServer):
    with connect(strict.port) as client:
        client.sendall(LARGE)
        began = running_time()
        with contextlib.suppress(ConnectionResetError):
            while client.recv(1000) and running_time() - began < 10:
                time.sleep(0.05)
        assert running_time() - began < LIMITS["response_seconds"] + 3


def test_response_of_many_parts_is_whole(strict: ToyServer):
    with connect(strict.port) as client:
        client.sendall(LARGE + GET % b"health")
        assert receive(client).body == b"x" * 9_000_000


def test_streamed_response_that_is_read_slowly_occupies_no_thread_and_ends(strict: ToyServer):
    with connections(strict.port, 10, GET % b"stream/150"):
        time.sleep(0.5)
        for _ in range(3):
            status, seconds = strict.get("/echo")
            assert (status, seconds < 2) == (200, True)
    with connect(strict.port) as client:
        client.sendall(GET % b"stream/150")
        began = running_time()
        with contextlib.suppress(ConnectionResetError):
            while client.recv(1000) and running_time() - began < 10:
                time.sleep(0.05)
        assert running_time() - began < LIMITS["response_seconds"] + 3
    assert strict.get("/health")[0] == 200


def test_granian_makes_no_part_before_the_one_before_it_is_sent() -> None:
    server = start("granian", response_seconds=60)
    with connections(server.port, 5, GET % b"stream/150"):
        time.sleep(1)
        assert 0 < int(server.send(GET % b"made").body) < 5 * 150 / 4
    server.close()


def test_health_is_answered_at_the_connection_limit(strict: ToyServer):
    with connections(strict.port, 2 * LIMITS["connection_limit"]):
        for _ in range(3):
            status, seconds = strict.get("/health")
            assert (status, seconds < 5) == (200, True)


def test_connection_with_a_request_is_not_closed_at_the_connection_limit(patient: ToyServer):
    with ThreadPoolExecutor(1) as threads:
        busy = threads.submit(patient.get, "/sleep/2")
        time.sleep(0.2)
        with connections(patient.port, 2 * LIMITS["connection_limit"]):
            assert busy.result()[0] == 200


def test_pipelined_requests_whose_responses_are_unread_occupy_no_thread(patient: ToyServer):
    with connections(patient.port, 10, LARGE * 20):
        time.sleep(0.5)
        for _ in range(3):
            status, seconds = patient.get("/echo")
            assert (status, seconds < 2) == (200, True)


def test_unread_responses_give_way_to_another_large_one(patient: ToyServer):
    with connections(patient.port, 10, LARGE):
        time.sleep(STALLED_AFTER + 1)
        assert patient.get("/health")[0] == 200
        assert patient.get("/large/9000000")[0] == 200


def test_large_response_without_room_is_503(small: ToyServer):
    response = small.send(LARGE)
    assert (response.status, response.json["error"]) == (503, "SERVICE_UNAVAILABLE")
    assert {name.lower() for name in response.headers} >= {"retry-after"}
    assert small.get("/health")[0] == 200
    assert small.get("/large/4000000")[0] == 200


def test_slow_bodies_of_one_user_leave_room_for_others(patient: ToyServer):
    head = b"POST /large-body HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer valid\r\n"
    with connections(patient.port, 25) as clients:
        for client in clients:
            client.sendall(head + b"Content-Length: 990000\r\n\r\n")
            time.sleep(0.02)
        for _ in range(6):
            for client in clients:
                with contextlib.suppress(OSError):  # some are refused
                    client.sendall(b"x")
            assert patient.get("/large/300000")[0] == 200
            time.sleep(0.5)
