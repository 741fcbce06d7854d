"""Concurrent changes of one job's status and applied date."""

from typing import Any

import pytest
from webtest import TestResponse

from tests.common.api import Api, statuses
from tests.common.concurrency import THREADS, repeat_concurrently


@pytest.mark.parametrize(
    "patches",
    [
        [{"status": "offer"}, {"status": "applied"}],
        [{"status": "saved"}, {"status": "interviewing"}, {"status": "archived"}],
        [{"applied_date": "2026-01-02"}, {"status": "saved"}, {"status": "onsite"}],
        [{"applied_date": "2026-01-02"}, {"applied_date": None}, {"status": "applied"}],
    ],
)
def test_concurrent_changes_leave_the_latest_step_as_the_status(
    client: Api, job: str, patches: list[dict[str, Any]]
):
    def patch(number: int) -> TestResponse:
        return client.patch(job, patches[number % len(patches)], status="*")

    for _ in range(3):
        assert statuses(repeat_concurrently(patch)) == [200] * THREADS
        found = client.get(job).json
        steps = client.get(f"{job}/history").json
        assert steps[-1]["status"] == found["status"]
        # All changes were within five minutes: no status that the job has returned to is repeated.
        names = [step["status"] for step in steps]
        assert len(names) == len(set(names))
        (edges, expected) = client.get("/jobs/stats/funnel").json["edges"], len(names) - 1
        assert len(edges) == expected - ("archived" in names)
