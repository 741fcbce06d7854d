"""The funnel of some histories, counted in plain Python."""

import datetime
import itertools
import statistics
from collections import Counter
from typing import Any

STAGES = {
    "lead": ["saved"],
    "applied": ["applied"],
    "screening": ["recruiter_screen"],
    "interview": ["interviewing", "onsite"],
    "offer": ["offer"],
    "accepted": ["accepted"],
}
NAMES = list(STAGES)
OUTCOMES = ("accepted", "rejected", "withdrawn", "ghosted")

#: Status and time of each step of a job.
History = list[tuple[str, datetime.datetime]]


def stage_of(status: str) -> int | None:
    """The index of the stage; None for a closed status."""
    return next((n for n, name in enumerate(NAMES) if status in STAGES[name]), None)


def funnel(histories: list[History], now: datetime.datetime) -> dict[str, Any]:
    """As ``/jobs/stats/funnel`` answers it; durations in days, not rounded."""
    jobs = [[step for step in history if step[0] != "archived"] for history in histories]
    edges = Counter(
        (before[0], after[0])
        for job in jobs
        for before, after in itertools.pairwise(job)
        if before[0] != after[0]
    )
    outcomes: Counter[tuple[str | None, str]] = Counter()
    for job in jobs:
        if job and job[-1][0] in OUTCOMES:
            reached = [stage_of(status) for status, _at in job if status != "accepted"]
            source = max((stage for stage in reached if stage is not None), default=None)
            outcomes[None if source is None else NAMES[source], job[-1][0]] += 1
    return {
        "stages": [stage(number, jobs, histories, now) for number in range(len(NAMES))],
        "outcomes": outcomes,
        "edges": edges,
        "total": len(histories),
    }


def stage(
    number: int, jobs: list[History], histories: list[History], now: datetime.datetime
) -> dict[str, Any]:
    there = [job for job in jobs if number in [stage_of(status) for status, _at in job]]
    advanced = 0
    for job in there:
        stages = [stage_of(status) for status, _at in job]
        later = stages[stages.index(number) + 1 :]
        advanced += any(each is not None and each > number for each in later)
    days = [spent for history in histories if (spent := days_in(number, history, now)) is not None]
    last = number == len(NAMES) - 1
    return {
        "stage": NAMES[number],
        "reached": len(there),
        "conversion": None if last or not there else advanced / len(there),
        "median_days": statistics.median(days) if days else None,
    }


def days_in(number: int, history: History, now: datetime.datetime) -> float | None:
    """The days of a job in a stage, up to now; None if it was not there, or has not left the last
    stage."""
    seconds = []
    for place, (status, at) in enumerate(history):
        if stage_of(status) != number:
            continue
        until = history[place + 1][1] if place + 1 < len(history) else max(now, at)
        if number == len(NAMES) - 1:
            rest = [other for other, _at in history[place + 1 :] if other != "archived"]
            if not rest or rest[0] == status:
                continue
        seconds.append((until - at).total_seconds())
    return sum(seconds) / 86400 if seconds else None
