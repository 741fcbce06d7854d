"""Slow requests of one user do not delay another user's, with both servers."""

import json
import threading
from collections.abc import Callable
from http.client import HTTPConnection

import pytest

from tests.common.toy_server import ToyServer

pytestmark = pytest.mark.usefixtures("logged")


@pytest.fixture
def ended() -> list[str]:
    """The names of requests, in the order of their ends."""
    return []


@pytest.fixture
def start(server: ToyServer, ended: list[str]) -> Callable[..., threading.Thread]:
    def start(user: str, path: str) -> threading.Thread:
        def run() -> None:
            connection = HTTPConnection("127.0.0.1", server.port, timeout=20)
            connection.request("GET", path, headers={"Authorization": user})
            response = connection.getresponse()
            response.read()
            connection.close()
            ended.append(user if response.status == 200 else f"{user} {response.status}")

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    return start


def test_twelve_slow_requests_of_a_user_do_not_delay_another_user(
    start: Callable[..., threading.Thread], ended: list[str]
):
    slow = [start("ada", "/sleep/0.4") for _ in range(12)]
    fast = []
    for _ in range(3):  # one after the other, while the slow ones run two at a time
        fast.append(start("bob", "/echo"))
        fast[-1].join()
    for thread in slow:
        thread.join()
    assert sorted(ended) == ["ada"] * 12 + ["bob"] * 3
    assert ended[-4:] == ["ada"] * 4
    assert ended.index("bob") <= 4


def test_requests_of_many_users_run_at_once(
    start: Callable[..., threading.Thread], ended: list[str]
):
    threads = [start(f"user {number}", "/sleep/0.3") for number in range(4)]
    threads += [start("ada", "/sleep/0.3") for _ in range(6)]
    for thread in threads:
        thread.join()
    assert ended[-2:] == ["ada", "ada"]
    assert len(ended) == 10


def test_requests_beyond_those_that_may_wait_answer_429(
    server: ToyServer, start: Callable[..., threading.Thread], ended: list[str]
):
    threads = [start("ada", "/sleep/1") for _ in range(4)]
    threads += [start("ada", "/sleep/0.01") for _ in range(116)]
    for thread in threads:
        thread.join()
    assert len(ended) == 120
    assert set(ended) == {"ada", "ada 429"}
    assert ended.count("ada 429") < 40
    answer = server.send(b"GET /echo HTTP/1.1\r\nHost: x\r\nAuthorization: ada\r\n\r\n")
    assert answer.status == 200
    assert json.loads(answer.body)["HTTP_AUTHORIZATION"] == "ada"
