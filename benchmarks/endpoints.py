"""The measured endpoints: the requests, and the SQL for pgbench."""

# ruff: noqa: S608 (SQL of constants)

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import urllib3

from benchmarks.dataset import Dataset
from benchmarks.environment import Environment
from benchmarks.wrk import Request

JOB = (
    "id, company_name, job_title, location, status, applied_date, job_url, tags, created_at, "
    "updated_at, last_activity_at"
)

# --- Scripts of pgbench: Endpoint.script() replaces {readers} and others; :u and :j are variables
ANY_READER = "\\set u random(1, {readers})\n"
ANY_WRITER = "\\set u random({first_writer}, {last_writer})\n"
FIRST_USER = "\\set u 1\n"
USER = (
    "SELECT id, email, name, auto_refresh_seconds, created_at, email_verified_at FROM users "
    "WHERE cognito_sub = '00000000-0000-4000-8000-' || lpad((:u)::text, 12, '0');\n"
)
JOBS = f"SELECT {JOB} FROM jobs WHERE user_id = :u ORDER BY last_activity_at DESC, id DESC;\n"
ONE_JOB = f"SELECT {JOB} FROM jobs WHERE user_id = :u AND id = :j;\n"
NOTES = (
    "SELECT id, application_id, body, created_at FROM notes WHERE user_id = :u "
    "AND application_id = :j ORDER BY created_at DESC, id DESC;\n"
)
INSERT = (
    "INSERT INTO jobs (user_id, company_name, job_title, location, job_url, status, applied_date, "
    "tags) VALUES (:u, 'Acme', 'Engineer', 'Vienna', 'https://acme.example/jobs/1', 'applied', "
    f"'2026-11-23', '{{{{remote}}}}') RETURNING {JOB};\n"
)
UPDATE = (
    "UPDATE jobs SET location = 'Vienna ' || :v, updated_at = statement_timestamp(), "
    "last_activity_at = greatest(last_activity_at, statement_timestamp()) "
    f"WHERE user_id = :u AND id = :j RETURNING {JOB};\n"
)

NEW_JOB = json.dumps(
    {
        "company_name": "Acme",
        "job_title": "Engineer",
        "location": "Vienna",
        "status": "applied",
        "applied_date": "2026-11-23",
        "job_url": "https://acme.example/jobs/1",
        "tags": ["remote"],
    }
)


class Tokens:
    """The access tokens of all users."""

    def __init__(self, environment: Environment) -> None:
        self.dataset = environment.dataset
        users = range(1, self.dataset.largest_user + 1)
        self._tokens = {user: environment.token_of(user) for user in users}

    def __getitem__(self, user: int) -> str:
        return self._tokens[user]


# Makes the requests of a round from the tokens, the URL of the server, and a text that is different
# in each round, so that each PATCH changes its job.
Requests = Callable[[Tokens, str, str], Iterable[Request]]


@dataclass(frozen=True)
class Endpoint:
    """A row of the table.

    :param sql: a script for pgbench, with placeholders
    :param twin_requests: the requests to the twin, if they are different
    """

    name: str
    requests: Requests
    sql: str
    twin_requests: Requests | None = None

    def script(self, dataset: Dataset) -> str:
        """The script of pgbench."""
        return self.sql.format(
            readers=dataset.readers,
            jobs_each=dataset.jobs_each,
            first_writer=dataset.first_writer,
            last_writer=dataset.writers[-1],
        )


def _get_jobs_of_all(tokens: Tokens, _url: str, _round: str) -> Iterable[Request]:
    """The users in turn."""
    for user in range(1, tokens.dataset.readers + 1):
        yield Request("GET", "/jobs", tokens[user])


def _get_jobs_of_one(tokens: Tokens, _url: str, _round: str) -> Iterable[Request]:
    yield Request("GET", "/jobs", tokens[2])


def _get_jobs_if_none_match(tokens: Tokens, url: str, _round: str) -> Iterable[Request]:
    """With the current ETag."""
    headers = {"Authorization": f"Bearer {tokens[2]}"}
    etag = urllib3.request("GET", f"{url}/jobs", headers=headers).headers["ETag"]
    response = urllib3.request("GET", f"{url}/jobs", headers={**headers, "If-None-Match": etag})
    if response.status != 304:
        raise RuntimeError(f"GET /jobs with the current ETag is {response.status}")
    yield Request("GET", "/jobs", tokens[2], etag)


def _get_job(tokens: Tokens, _url: str, _round: str) -> Iterable[Request]:
    yield Request("GET", f"/jobs/{tokens.dataset.first_job_of(1)}", tokens[1])


def _get_me(tokens: Tokens, _url: str, _round: str) -> Iterable[Request]:
    for user in range(1, tokens.dataset.readers + 1):
        yield Request("GET", "/users/me", tokens[user])


def _post_job(tokens: Tokens, _url: str, _round: str) -> Iterable[Request]:
    for user in tokens.dataset.writers:
        yield Request("POST", "/jobs", tokens[user], body=NEW_JOB)


def _patch_job(tokens: Tokens, _url: str, round_name: str) -> Iterable[Request]:
    """Each job twice, to a new value each time: an update to the same value is no change."""
    for turn in ("a", "b"):
        for at in range(tokens.dataset.jobs_each):
            for user in tokens.dataset.writers:
                body = json.dumps(
                    {"location": f"Vienna {round_name}{turn}", "status": "interviewing"}
                )
                path = f"/jobs/{tokens.dataset.first_job_of(user) + at}"
                yield Request("PATCH", path, tokens[user], body=body)


ANY_JOB = "\\set j (:u - 1) * {jobs_each} + random(1, {jobs_each})\n\\set v random(1, 1000000)\n"

ENDPOINTS = (
    Endpoint("`GET /jobs` (50 jobs)", _get_jobs_of_all, ANY_READER + USER + JOBS),
    Endpoint(
        "`GET /jobs`, unchanged since the last answer", _get_jobs_of_one, FIRST_USER + USER + JOBS
    ),
    Endpoint(
        "`GET /jobs` with `If-None-Match`",
        _get_jobs_if_none_match,
        FIRST_USER + USER + JOBS,
        _get_jobs_of_one,
    ),
    Endpoint(
        "`GET /jobs/{id}` (with 10 notes)",
        _get_job,
        FIRST_USER + "\\set j 1\n" + USER + ONE_JOB + NOTES,
    ),
    Endpoint("`GET /users/me`", _get_me, ANY_READER + USER),
    Endpoint("`POST /jobs`", _post_job, ANY_WRITER + USER + INSERT),
    Endpoint("`PATCH /jobs/{id}`", _patch_job, ANY_WRITER + ANY_JOB + USER + ONE_JOB + UPDATE),
)
