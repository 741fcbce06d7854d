"""FairQueue: the requests of one user wait for each other, not those of others."""

from collections.abc import Hashable

from jobtracker.errors import ApiError
from jobtracker.servers.fair_queue import (
    MAX_RUNNING,
    MAX_RUNNING_OF_NETWORK,
    MAX_WAITING,
    SLOW_SECONDS,
    FairQueue,
)


class Recorder(FairQueue[Hashable]):
    """A queue that lists what it starts and refuses."""

    def __init__(self) -> None:
        self.started: list[Hashable] = []
        self.refused: list[Hashable] = []
        super().__init__(self.started.append, self.refuse)

    def refuse(self, user: Hashable, error: ApiError) -> None:
        self.refused.append((user, error.status))

    def put_many(self, user: Hashable, number: int) -> None:
        for _ in range(number):
            self.put(user, user)


def test_two_requests_of_a_user_run_at_once_and_another_starts_when_one_ends():
    queue = Recorder()
    queue.put_many("ada", 12)
    queue.put_many("bob", 1)
    assert queue.started == ["ada", "ada", "bob"]
    queue.ended("bob", 0)
    assert queue.started == ["ada", "ada", "bob"]
    for running in range(3, 13):
        queue.ended("ada", 0)
        assert queue.started.count("ada") == running
    for _ in range(MAX_RUNNING):
        queue.ended("ada", 0)
    queue.put_many("ada", 3)
    assert queue.started.count("ada") == 12 + MAX_RUNNING


def test_four_requests_of_a_network_run_at_once():
    queue = Recorder()
    network = ("192.0.2.1", None)
    queue.put_many(network, 12)
    assert queue.started == [network] * MAX_RUNNING_OF_NETWORK


def test_requests_beyond_the_maximum_of_waiting_ones_are_refused():
    queue = Recorder()
    queue.put_many("ada", MAX_RUNNING + MAX_WAITING + 3)
    assert len(queue.started) == MAX_RUNNING
    assert queue.refused == [("ada", 429)] * 3
    queue.put_many("bob", 1)
    assert queue.started[-1] == "bob"


def test_requests_that_wait_for_a_slow_one_are_refused():
    queue = Recorder()
    queue.put_many("ada", MAX_RUNNING + 5)
    queue.put_many("bob", MAX_RUNNING + 1)
    queue.ended("ada", SLOW_SECONDS)
    assert queue.refused == [("ada", 503)] * 5
    queue.put_many("ada", 2)
    assert queue.started.count("ada") == MAX_RUNNING + 1
    queue.ended("ada", SLOW_SECONDS - 0.1)
    assert queue.started.count("ada") == MAX_RUNNING + 2


def test_nothing_is_kept_of_users_without_requests():
    queue = Recorder()
    for number in range(100):
        queue.put_many(f"{number}", 5)
        for _ in range(5):
            queue.ended(f"{number}", 0)
    assert not queue._running
    assert not queue._waiting
