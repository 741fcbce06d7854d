"""Faults of a dependency, requests during and after them, and a report of the responses."""

import functools
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
import urllib3

from tests.common.concurrency import run_concurrently
from tests.common.proxy import Proxy
from tests.torture.client import Answer, Client, fault_of

SECONDS_TO_REFUSE = 5
SECONDS_TO_RECOVER = 30

Fault = Callable[[Proxy], None]
FAULTS: dict[str, Fault] = {
    "refuse": lambda proxy: proxy.refuse(),
    "stall": lambda proxy: proxy.stall(),
    "lost": lambda proxy: proxy.stall(lost=True),
    "cut at once": lambda proxy: proxy.cut(),
    "cut after 1 B": lambda proxy: proxy.cut(after=1),
    "cut after 150 B": lambda proxy: proxy.cut(after=150),
}
all_faults = pytest.mark.parametrize("fault", FAULTS)


class Proxies(NamedTuple):
    postgres: Proxy
    s3: Proxy
    cognito: Proxy
    turnstile: Proxy


class Call(NamedTuple):
    """A request, and its expected status during a fault."""

    method: str
    path: str
    body: Any = None
    status: int = 503
    key: str | None = None

    @property
    def name(self) -> str:
        """Method and path without ids."""
        words = ("{id}" if word.isdigit() else word for word in self.path.split("/"))
        return f"{self.method} {'/'.join(words)}"


class Report:
    """A table of responses, and the problems found."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, ...]] = []
        self.problems: list[str] = []

    def add(self, part: str, fault: str, what: str, status: str, seconds: float) -> None:
        self.rows.append((part, fault, what, status, f"{seconds:.2f}"))

    def check(self, part: str, fault: str, call: Call, answer: Answer | Exception) -> None:
        where = f"{part}, {fault}, {call.name}"
        if isinstance(answer, Exception):
            self.add(part, fault, call.name, type(answer).__name__, 0)
            self.problems.append(f"{where}: {answer!r}")
            return
        self.add(part, fault, call.name, str(answer.status), answer.seconds)
        if call.status < 400:
            if answer.status != call.status:
                self.problems.append(f"{where}: {answer.status}, not {call.status}")
        elif wrong := fault_of(answer, call.status):
            self.problems.append(f"{where}: {wrong}")
        if answer.seconds > SECONDS_TO_REFUSE:
            self.problems.append(f"{where}: took {answer.seconds:.2f} s")

    def lines(self) -> Iterator[str]:
        rows = [("part", "fault", "endpoint", "status", "seconds"), *self.rows]
        widths = [max(len(row[column]) for row in rows) for column in range(5)]
        for row in rows:
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            yield "  ".join(cells).rstrip()


def reading(client: Client) -> Callable[[], Answer]:
    return functools.partial(client.call, "GET", "/jobs")


def attempt(client: Client, call: Call) -> Answer | Exception:
    try:
        return client.call(call.method, call.path, call.body, key=call.key)
    except urllib3.exceptions.HTTPError as error:
        return error


def call_during_fault(
    report: Report, part: str, fault: str, client: Client, calls: list[Call]
) -> None:
    """Concurrent calls during a fault; /health must succeed."""
    health = Call("GET", "/health", status=200)
    answers = run_concurrently(
        [functools.partial(attempt, client, call) for call in [*calls, health]]
    )
    for call, answer in zip([*calls, health], answers, strict=True):
        report.check(part, fault, call, answer)


def call_until_recovered(
    report: Report, part: str, fault: str, client: Client, calls: list[Call]
) -> None:
    """Repeat the calls until each has succeeded; a failure on the way is a problem."""
    start = time.monotonic()
    failed = 0
    while calls:
        answers = run_concurrently([functools.partial(attempt, client, call) for call in calls])
        calls = [
            call
            for call, answer in zip(calls, answers, strict=True)
            if isinstance(answer, Exception) or answer.status >= 300
        ]
        failed += len(calls)
        if calls and time.monotonic() - start > SECONDS_TO_RECOVER:
            report.problems.append(f"{part}, {fault}: {calls[0].name} does not recover: {answers}")
            break
        time.sleep(0.1 if calls else 0)
    report.add(part, fault, "(it is back) all", f"{failed} failed", time.monotonic() - start)
    if failed:
        report.problems.append(f"{part}, {fault}: {failed} requests failed after it was back")
