"""Concurrent requests from many threads to two servers on one database."""

import functools
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from tests.common.concurrency import run_concurrently
from tests.torture.client import JOB, RESUME, Answer, Client, fault_of, put, statuses, unique
from tests.torture.instance import Instance

pytestmark = pytest.mark.torture

ROUNDS = 20
THREADS = 16


class Pair:
    """One user's clients of two servers, used in turn."""

    def __init__(self, clients: tuple[Client, Client]) -> None:
        self.clients = clients
        self.one = clients[0]

    def storm(
        self, method: str, path: str, bodies: list[Any], *, key: str | None = None
    ) -> list[Answer]:
        """The responses to concurrent requests, one for each body."""
        clients = itertools.cycle(self.clients)
        return run_concurrently(
            [
                functools.partial(client.call, method, path, body, key=key)
                for client, body in zip(clients, bodies, strict=False)
            ]
        )

    def same(self, method: str, path: str, body: Any = None, **options: Any) -> list[Answer]:
        return self.storm(method, path, [body] * THREADS, **options)


@pytest.fixture(scope="module")
def servers(pserve: Callable[..., Instance]) -> tuple[Instance, Instance]:
    return pserve(), pserve()


@pytest.fixture
def sign_in(
    servers: tuple[Instance, Instance], new_token: Callable[[], str]
) -> Iterator[Callable[[], Pair]]:
    """A new user's pair of clients."""
    made: list[Client] = []

    def pair() -> Pair:
        token = new_token()
        clients = (servers[0].client(token), servers[1].client(token))
        made.extend(clients)
        return Pair(clients)

    yield pair
    for client in made:
        client.close()


@pytest.fixture
def user(sign_in: Callable[[], Pair]) -> Pair:
    return sign_in()


def test_concurrent_first_requests_create_one_user(
    sign_in: Callable[[], Pair], database: psycopg.Connection
):
    for _ in range(ROUNDS):
        answers = sign_in().same("GET", "/users/me")
        assert statuses(answers) == [200] * THREADS
        assert len({answer.body for answer in answers}) == 1
    twice = "SELECT email FROM users GROUP BY email HAVING count(*) > 1"
    assert database.execute(twice).fetchall() == []


def test_concurrent_uploads_beyond_five_answer_429(user: Pair):
    for _ in range(ROUNDS):
        job = user.one.make_job()
        answers = user.same("POST", f"{job}/documents/presign-upload", RESUME)
        assert statuses(answers) == [201] * 5 + [429] * (THREADS - 5)
        assert len({answer.body for answer in answers if answer.status == 201}) == 5
        assert len(user.one.done("GET", f"{job}/documents")) == 5


def test_concurrent_confirmations_leave_one_resume_and_can_be_repeated(user: Pair):
    for _ in range(ROUNDS):
        job = user.one.make_job()
        documents = [user.one.upload(job) for _ in range(5)]
        path = f"{job}/documents/confirm-upload"
        bodies = [{"document_id": documents[number % 5]} for number in range(THREADS)]
        answers = user.storm("POST", path, bodies)
        # A document that was replaced before its next confirmation is deleted.
        assert set(statuses(answers)) <= {200, 404}
        (left,) = user.one.done("GET", f"{job}/documents")
        assert left["status"] == "uploaded"
        repeated = user.same("POST", path, {"document_id": left["id"]})
        assert {answer.content for answer in repeated} == {
            answer.content for answer in answers if answer.status == 200 and answer.json == left
        }


@pytest.mark.parametrize("what", ["note", "document", "job"])
def test_concurrent_deletes_answer_404_but_for_one(user: Pair, what: str):
    for _ in range(ROUNDS):
        job = user.one.make_job()
        if what == "note":
            path = f"{job}/notes/{user.one.done('POST', f'{job}/notes', {'body': 'x'})['id']}"
        elif what == "document":
            document = user.one.upload(job)
            user.one.confirm(job, document)
            path = f"{job}/documents/{document}"
        else:
            path = job
        answers = user.same("DELETE", path)
        assert statuses(answers) == [204] + [404] * (THREADS - 1)


def test_concurrent_patches_leave_the_tags_of_one(user: Pair):
    job = user.one.make_job()
    for _ in range(ROUNDS):
        sets = [sorted(unique(f"t{number}")[:20] for _ in range(5)) for number in range(THREADS)]
        answers = user.storm("PATCH", job, [{"tags": tags} for tags in sets])
        assert statuses(answers) == [200] * THREADS
        assert [answer.json["tags"] for answer in answers] == sets
        assert user.one.done("GET", job)["tags"] in sets


def test_concurrent_patches_of_the_same_fields_are_atomic(user: Pair):
    """Also where a value equals the stored one when the request begins."""
    moduli = {"company_name": 2, "job_title": 3, "location": 5}
    job = user.one.make_job()
    patches = [
        {name: str(number % modulus) for name, modulus in moduli.items()}
        for number in range(THREADS)
    ]
    for _ in range(ROUNDS):
        answers = user.storm("PATCH", job, patches)
        assert statuses(answers) == [200] * THREADS
        assert [{name: answer.json[name] for name in moduli} for answer in answers] == patches
        after = user.one.done("GET", job)
        assert {name: after[name] for name in moduli} in patches


def test_concurrent_puts_leave_the_settings_of_one(user: Pair):
    path = "/users/me/settings"
    choices = [
        {
            "auto_refresh_seconds": (0, 60)[number % 2],
            "theme": ("dark", "light", "system")[number % 3],
            "default_jobs_sort": ("updated_desc", "company_asc", "status_asc")[number % 3],
            "default_jobs_view": ("all", "active", "needs_followup")[number % 3],
            "data_retention_days": number,
        }
        for number in range(THREADS)
    ]
    for _ in range(ROUNDS):
        answers = user.storm("PUT", path, choices)
        assert statuses(answers) == [200] * THREADS
        assert user.one.done("GET", path) in choices


def one_effect(user: Pair, path: str, body: Any) -> Answer:
    """The one response of 201 to concurrent requests with one key; those that got 409 get the same
    when they are repeated."""
    key = unique()
    answers = user.same("POST", path, body, key=key)
    contents = {answer.content for answer in answers if answer.status == 201}
    assert len(contents) == 1, answers
    for answer in answers:
        if answer.status != 201:
            assert fault_of(answer, 409) is None
            assert int(answer.headers["Retry-After"]) > 0
    again = user.same("POST", path, body, key=key)
    assert {answer.content for answer in again} == contents
    return again[0]


def test_concurrent_posts_with_one_key_create_one_job(user: Pair):
    for _ in range(ROUNDS):
        title = unique("title")
        job = one_effect(user, "/jobs", {**JOB, "job_title": title}).json
        assert user.one.done("GET", f"/jobs/{job['id']}")["job_title"] == title
        assert [job["id"]] == [
            found["id"] for found in user.one.done("GET", "/jobs") if found["job_title"] == title
        ]


def test_concurrent_posts_with_one_key_create_one_note(user: Pair):
    for _ in range(ROUNDS):
        job = user.one.make_job()
        note = one_effect(user, f"{job}/notes", {"body": "x"}).json
        assert user.one.done("GET", f"{job}/notes") == [note]


def test_concurrent_posts_with_one_key_create_one_upload(user: Pair):
    for _ in range(ROUNDS):
        job = user.one.make_job()
        upload = one_effect(user, f"{job}/documents/presign-upload", RESUME).json
        assert user.one.done("GET", f"{job}/documents") == [upload["document"]]
        assert put(upload) == 200
        assert user.one.confirm(job, upload["document"]["id"]).status == 200


def test_concurrent_posts_of_different_bodies_with_one_key_answer_422_but_for_one(user: Pair):
    for _ in range(ROUNDS):
        key = unique()
        bodies = [{**JOB, "job_title": f"{key} {number}"} for number in range(THREADS)]
        answers = user.storm("POST", "/jobs", bodies, key=key)
        (made,) = (answer.json for answer in answers if answer.status == 201)
        assert {answer.status for answer in answers} <= {201, 409, 422}
        for number, body in enumerate(bodies):
            again = user.clients[number % 2].call("POST", "/jobs", body, key=key)
            if body["job_title"] == made["job_title"]:
                assert (again.status, again.json) == (201, made)
            else:
                assert fault_of(again, 422) is None, again
        titles = Counter(job["job_title"] for job in user.one.done("GET", "/jobs"))
        assert [title for title in titles if title.startswith(key)] == [made["job_title"]]


def test_same_key_of_two_users_is_independent(sign_in: Callable[[], Pair]):
    users = [sign_in() for _ in range(8)]
    for _ in range(ROUNDS):
        key = unique()
        answers = run_concurrently(
            [
                functools.partial(client.call, "POST", "/jobs", JOB, key=key)
                for user in users
                for client in user.clients
            ]
        )
        assert set(statuses(answers)) <= {201, 409}
        made = [answer.json["id"] for answer in answers if answer.status == 201]
        assert len(set(made)) == len(users)
    for user in users:
        assert len(user.one.done("GET", "/jobs")) == ROUNDS
