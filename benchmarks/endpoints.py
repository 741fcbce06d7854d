"""What is asked for, and the SQL that it takes: a row of the table each."""

# ruff: noqa: S608 (SQL of constants)

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import urllib3

from benchmarks.data import Rows
from benchmarks.stage import Stage
from benchmarks.wrk import Request

JOB = (
    "id, company_name, job_title, location, status, applied_date, job_url, tags, created_at, "
    "updated_at, last_activity_at"
)

# --- for pgbench: {readers} and the like are filled in, :u is a variable of pgbench ---------
A_READER = "\\set u random(1, {readers})\n"
A_WRITER = "\\set u random({first_writer}, {last_writer})\n"
THE_FIRST = "\\set u 1\n"
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
    """The tokens of all users, each signed once."""

    def __init__(self, made: Stage) -> None:
        rows = made.rows
        self.rows = rows
        self._tokens = {user: made.token_of(user) for user in range(1, rows.collector + 1)}

    def __getitem__(self, user: int) -> str:
        return self._tokens[user]


# The requests of a round. The last argument differs from round to round and side to side: what is
# written is something else than what is there.
Requests = Callable[[Tokens, str, str], Iterable[Request]]


@dataclass(frozen=True)
class Endpoint:
    """A row.

    :param requests: of tokens, the server's URL, and a word for this round
    :param sql: a script for pgbench
    :param of_twin: what the twin is asked, where that is something else
    """

    name: str
    requests: Requests
    sql: str
    of_twin: Requests | None = None

    def script(self, rows: Rows) -> str:
        return self.sql.format(
            readers=rows.readers,
            jobs_each=rows.jobs_each,
            first_writer=rows.first_writer,
            last_writer=rows.writers[-1],
        )


def _of_all_readers(tokens: Tokens, _url: str, _word: str) -> Iterable[Request]:
    """Each user after the other: by the time of a user's turn others have been asked for."""
    for user in range(1, tokens.rows.readers + 1):
        yield Request("GET", "/jobs", tokens[user])


def _of_one(tokens: Tokens, _url: str, _word: str) -> Iterable[Request]:
    yield Request("GET", "/jobs", tokens[2])


def _if_changed(tokens: Tokens, url: str, _word: str) -> Iterable[Request]:
    """With the ETag of the answer before; without one there is nothing to measure."""
    headers = {"Authorization": f"Bearer {tokens[2]}"}
    etag = urllib3.request("GET", f"{url}/jobs", headers=headers).headers.get("ETag")
    if etag:
        again = {**headers, "If-None-Match": etag}
        answer = urllib3.request("GET", f"{url}/jobs", headers=again)
        if answer.status != 304:
            raise RuntimeError(f"GET /jobs with its own ETag is answered with {answer.status}")
        yield Request("GET", "/jobs", tokens[2], etag)


def _with_notes(tokens: Tokens, _url: str, _word: str) -> Iterable[Request]:
    yield Request("GET", f"/jobs/{tokens.rows.first_job_of(1)}", tokens[1])


def _me(tokens: Tokens, _url: str, _word: str) -> Iterable[Request]:
    for user in range(1, tokens.rows.readers + 1):
        yield Request("GET", "/users/me", tokens[user])


def _new(tokens: Tokens, _url: str, _word: str) -> Iterable[Request]:
    for user in tokens.rows.writers:
        yield Request("POST", "/jobs", tokens[user], body=NEW_JOB)


def _changed(tokens: Tokens, _url: str, word: str) -> Iterable[Request]:
    """Each job twice, to something else each time: what changes nothing may be left undone."""
    for turn in ("a", "b"):
        for at in range(tokens.rows.jobs_each):
            for user in tokens.rows.writers:
                body = json.dumps({"location": f"Vienna {word}{turn}", "status": "interviewing"})
                path = f"/jobs/{tokens.rows.first_job_of(user) + at}"
                yield Request("PATCH", path, tokens[user], body=body)


A_JOB_OF = "\\set j (:u - 1) * {jobs_each} + random(1, {jobs_each})\n\\set v random(1, 1000000)\n"

ENDPOINTS = (
    Endpoint("`GET /jobs` (50 jobs)", _of_all_readers, A_READER + USER + JOBS),
    Endpoint("`GET /jobs`, unchanged since the last answer", _of_one, THE_FIRST + USER + JOBS),
    Endpoint("`GET /jobs` with `If-None-Match`", _if_changed, THE_FIRST + USER + JOBS, _of_one),
    Endpoint(
        "`GET /jobs/{id}` (with 10 notes)",
        _with_notes,
        THE_FIRST + "\\set j 1\n" + USER + ONE_JOB + NOTES,
    ),
    Endpoint("`GET /users/me`", _me, A_READER + USER),
    Endpoint("`POST /jobs`", _new, A_WRITER + USER + INSERT),
    Endpoint("`PATCH /jobs/{id}`", _changed, A_WRITER + A_JOB_OF + USER + ONE_JOB + UPDATE),
)
