"""The jobs that an import made."""

from typing import Any

from tests.common.api import Api

#: A job of a row that has a company and a title alone.
DEFAULTS: dict[str, Any] = {
    "location": None,
    "status": "applied",
    "applied_date": None,
    "job_url": None,
    "tags": [],
    "priority": "normal",
    "next_action_at": None,
    "next_action_title": None,
    "last_action_at": None,
    "notes": [],
}
FIELDS = ("company_name", "job_title", *DEFAULTS)


def jobs_of(api: Api) -> list[dict[str, Any]]:
    """The jobs of a user with their notes, in the order in which they were made."""
    found = []
    for job in sorted(api.get("/jobs").json, key=lambda each: each["id"]):
        notes = [note["body"] for note in api.get(f"/jobs/{job['id']}/notes").json]
        found.append({**{name: job.get(name) for name in FIELDS}, "notes": notes})
    return found
