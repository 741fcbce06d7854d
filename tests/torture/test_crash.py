"""SIGKILL, of the server and of PostgreSQL: what was acknowledged is kept, nothing comes twice."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import urllib3

from jobtracker.local.postgres import Postgres
from tests.torture.client import JOB, Answer, Client, tell, unique
from tests.torture.database import migrate
from tests.torture.instance import Instance

pytestmark = pytest.mark.torture

KILLS = 20
WRITERS = 2  # of each kind
SECONDS_BETWEEN_KILLS = (0.2, 1.5)
# For a single write, from the first attempt to its acknowledgement, with a kill in between.
SECONDS_TO_GIVE_UP = 60


class Writer(threading.Thread):
    """Writes one thing after the other, each with a text of its own, until it is told to stop.

    :param keyed: each with an Idempotency-Key, again and again until it is acknowledged; else each
        is tried once
    """

    def __init__(self, client: Client, path: str, field: str, *, keyed: bool) -> None:
        super().__init__(daemon=True)
        self.client, self.path, self.field, self.keyed = client, path, field, keyed
        self.enough = threading.Event()
        self.sent: list[str] = []
        self.acknowledged: list[str] = []
        self.problems: list[str] = []
        self.repeated = 0
        # When the latest was acknowledged, by the clock.
        self.latest = 0.0

    def run(self) -> None:
        while not self.enough.is_set():
            text = unique()
            self.sent.append(text)
            if self.write(text):
                self.acknowledged.append(text)
                self.latest = time.monotonic()

    def write(self, text: str) -> bool:
        deadline = time.monotonic() + SECONDS_TO_GIVE_UP
        while not self.attempt(text):
            time.sleep(0.05)
            if not self.keyed:
                return False
            if time.monotonic() > deadline:
                self.problems.append(f"{text} is not acknowledged in {SECONDS_TO_GIVE_UP} s")
                return False
            self.repeated += 1
        return True

    def attempt(self, text: str) -> bool:
        body = {**(JOB if self.path == "/jobs" else {}), self.field: text}
        try:
            answer = self.client.call("POST", self.path, body, key=text if self.keyed else None)
        except urllib3.exceptions.HTTPError:
            return False
        if answer.status != 201 and not self.may_be_told(answer):
            self.problems.append(f"{answer.status} {answer.body[:200]!r}")
        elif answer.status == 201 and answer.json[self.field] != text:
            self.problems.append(f"{answer.body!r} is not the answer for {text}")
        return answer.status == 201

    def may_be_told(self, answer: Answer) -> bool:
        return answer.status == 503 or (self.keyed and answer.status == 409)


class Crowd:
    """Writers of all kinds, each a user of their own."""

    def __init__(self, server: Instance, someone: Callable[[], str]) -> None:
        self.writers = []
        for keyed in [False, True] * WRITERS:
            jobs, notes = server.client(someone()), server.client(someone())
            self.writers.append(Writer(jobs, "/jobs", "job_title", keyed=keyed))
            self.writers.append(Writer(notes, f"{notes.make_job()}/notes", "body", keyed=keyed))
        for writer in self.writers:
            writer.start()

    def wait_for_one_more(self) -> float:
        """Return when something is acknowledged from now on: the seconds until then."""
        start = time.monotonic()
        while max(writer.latest for writer in self.writers) < start:
            assert time.monotonic() < start + SECONDS_TO_GIVE_UP, "nothing is acknowledged any more"
            time.sleep(0.005)
        return time.monotonic() - start

    def stop(self) -> None:
        for writer in self.writers:
            writer.enough.set()
        for writer in self.writers:
            writer.join(2 * SECONDS_TO_GIVE_UP)
            writer.client.close()

    def verify(self, url: str) -> str:
        """Compare with the database, and return the figures."""
        with psycopg.connect(url) as connection:
            rows = connection.execute(
                "SELECT job_title FROM jobs UNION ALL SELECT body FROM notes"
            ).fetchall()
        kept = Counter(text for (text,) in rows)
        sent = {text for writer in self.writers for text in writer.sent}
        acknowledged = {text for writer in self.writers for text in writer.acknowledged}
        keyed = {text for writer in self.writers if writer.keyed for text in writer.sent}
        assert [problem for writer in self.writers for problem in writer.problems] == []
        assert sorted(acknowledged - kept.keys()) == []  # lost
        assert sorted(text for text in sent if kept[text] > 1) == []  # twice
        assert sorted(text for text in keyed if kept[text] != 1) == []
        assert keyed <= acknowledged
        unsure = len((sent - acknowledged) & kept.keys())
        return (
            f"{len(acknowledged)} writes acknowledged, none lost, none twice; "
            f"{len(keyed)} with a key, {sum(writer.repeated for writer in self.writers)} times "
            f"repeated; of {len(sent - acknowledged)} that failed without a key {unsure} are there"
        )


def figures(seconds: list[float]) -> str:
    return f"{len(seconds)} kills, up again in {max(seconds):.2f} s at most, " + (
        f"{sum(seconds) / len(seconds):.2f} s on average"
    )


def test_the_server_is_killed(
    pserve: Callable[..., Instance], someone: Callable[[], str], served: dict[str, str]
):
    server = pserve()
    crowd = Crowd(server, someone)
    seconds = []
    for _ in range(KILLS):
        crowd.wait_for_one_more()
        time.sleep(random.uniform(*SECONDS_BETWEEN_KILLS))  # noqa: S311
        start = time.monotonic()
        server.kill()
        server.start()
        crowd.wait_for_one_more()
        seconds.append(time.monotonic() - start)
    crowd.stop()
    told = crowd.verify(served["sqlalchemy.url"])
    tell(f"SIGKILL of the server: {figures(seconds)}", told)


@pytest.fixture
def mortal(folder: Path) -> Iterator[Postgres]:
    """A PostgreSQL of the test's own."""
    server = Postgres(folder / "mortal", folder / "mortal.log")
    server.start()
    yield server
    server.stop()


def kill(postgres: Postgres) -> None:
    """SIGKILL of the postmaster, and of all its processes before they notice."""
    assert postgres.process is not None
    parent = psutil.Process(postgres.process.pid)
    parent.suspend()  # else it starts new ones
    children = parent.children(recursive=True)
    for process in (parent, *children):
        process.kill()
    postgres.process.wait()
    psutil.wait_procs(children)
    postgres.process = None


def test_postgres_is_killed(
    pserve: Callable[..., Instance], someone: Callable[[], str], mortal: Postgres
):
    url = mortal.make_database("crash")
    migrate(url)
    with psycopg.connect(url) as connection:
        (fsync,) = connection.execute("SHOW fsync").fetchone() or ()
        assert fsync == "on"
    crowd = Crowd(pserve({"sqlalchemy.url": url}), someone)
    seconds, seconds_after = [], []
    for _ in range(KILLS):
        crowd.wait_for_one_more()
        time.sleep(random.uniform(*SECONDS_BETWEEN_KILLS))  # noqa: S311
        start = time.monotonic()
        kill(mortal)
        mortal.start()
        seconds_after.append(crowd.wait_for_one_more())
        seconds.append(time.monotonic() - start)
    crowd.stop()
    told = crowd.verify(url)
    after = f"of which the server needed {max(seconds_after):.2f} s at most"
    tell(f"SIGKILL of PostgreSQL: {figures(seconds)}, {after}", told)
