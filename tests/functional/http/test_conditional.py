"""What is known to be unchanged: revisions, ETags, bodies that are kept, and tabs that respect each
other. Real commits, on a database of their own."""

import functools
import itertools
import random
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from typing import Any

import pytest
import urllib3
from pyramid.scripting import prepare
from sqlalchemy import Engine, text
from webtest import TestResponse

from jobtracker import pshell
from jobtracker.http.conditional import CachedResponse, ResponseCache, tags_of
from jobtracker.http.rate_limits import RateLimiter
from jobtracker.security import Permission
from jobtracker.sweep import sweep
from tests.common.api import Api
from tests.common.pool import PASSWORD, Pool
from tests.functional.db.test_races import at_once, statuses
from tests.functional.test_access import endpoints, filled

WHEN = {"scheduled_at": "2026-11-30T13:00:00Z"}
RESUME = {"doc_type": "resume", "filename": "cv.pdf", "size_bytes": 1}

#: What nobody keeps, although it is asked for by GET.
NOT_KEPT = ("/users/me/mfa", "/presign-download")
#: What changes while nobody does anything.
BY_THE_CLOCK = "/jobs/stats/funnel"


@pytest.fixture(autouse=True)
def _nobody_has_asked_yet(busy_app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(busy_app.registry, "rate_limiter", RateLimiter("memory://"))


@pytest.fixture
def engine(busy_app: Any) -> Engine:
    return busy_app.registry["db_engine"]


@pytest.fixture
def bob(client: Api, pool: Pool) -> Api:
    return client.signed_in(pool.user("bob@example.com", "Bob").access_token)


def ask(client: Api, path: str, method: str = "GET", **headers: str) -> TestResponse:
    """An answer as it is, whatever it is."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    own = {"Authorization": f"Bearer {client.token}", **named}
    return client.app.request(path, method=method, headers=own, status="*")


def revision(engine: Engine, client: Api) -> int:
    user_id = client.get("/users/me").json["id"]
    with engine.begin() as connection:
        query = text("SELECT revision FROM users WHERE id = :id")
        return connection.execute(query, {"id": user_id}).scalar_one()


class World:
    """One of everything of a user's."""

    def __init__(self, client: Api, word: str) -> None:
        self.client = client
        self.word = word
        body = {"company_name": word, "job_title": "Engineer", "tags": [word]}
        self.job_id = client.post("/jobs", body).json["id"]
        self.job = f"/jobs/{self.job_id}"
        self.note_id = client.post(f"{self.job}/notes", {"body": "x"}).json["id"]
        self.interview_id = client.post(f"{self.job}/interviews", WHEN).json["id"]
        self.upload = client.post(f"{self.job}/documents/presign-upload", RESUME).json
        assert urllib3.request("PUT", self.upload["upload_url"], body=b"x").status == 200
        self.document_id = self.upload["document"]["id"]
        self.view_id = client.post("/saved-views", {"name": "Mine", "data": {}}).json["id"]
        (step,) = client.get(f"{self.job}/history").json
        self.step_id = step["id"]

    @property
    def ids(self) -> dict[str, int]:
        return {
            "job_id": self.job_id,
            "note_id": self.note_id,
            "document_id": self.document_id,
            "interview_id": self.interview_id,
            "view_id": self.view_id,
            "step_id": self.step_id,
        }

    def paths(self) -> list[str]:
        """All that can be asked for conditionally."""
        found = [
            filled(endpoint.path, self.ids)
            for endpoint in endpoints()
            if endpoint.method == "GET" and endpoint.permission is Permission.READ
        ]
        found = [path for path in found if not path.endswith(NOT_KEPT)]
        found[found.index("/jobs/search")] = f"/jobs/search?q={self.word}"
        return found


@pytest.fixture
def world(client: Api) -> World:
    return World(client, "acme")


def fresh(client: Api, path: str, number: int) -> TestResponse:
    """What nobody has asked for before, so that it is made anew."""
    return ask(client, f"{path}{'&' if '?' in path else '?'}fresh={number}")


# ------------------------------------------------------------------------------ what is changed

ME = {"/users/me"}
LISTS = {"/jobs", "/jobs/board", "/jobs/search"}
JOB = {"{job}", "{job}/details", "{job}/activity", "/jobs/metrics/activity", *LISTS}
NOTES = {"{job}/notes"}
DOCUMENTS = {"{job}/documents"}
INTERVIEWS = {"{job}/interviews"}
STEPS = {"{job}/history", "/jobs/stats/funnel"}
VIEWS = {"/saved-views"}

Change = tuple[str, Callable[[World], Any], set[str]]


def new_job(world: World) -> None:
    body = {"company_name": world.word, "job_title": "Second"}
    world.second = world.client.post("/jobs", body).json["id"]  # type: ignore[attr-defined]


def new_step(world: World) -> None:
    body = {"status": "saved", "at": "2026-01-01T00:00:00Z"}
    path = f"{world.job}/history"
    world.new_step_id = world.client.post(path, body).json["id"]  # type: ignore[attr-defined]


def new(path: str, body: Any, world: World) -> None:
    answer = world.client.post(path.format(job=world.job), body).json
    world.new_id = answer.get("document", answer)["id"]  # type: ignore[attr-defined]


def change(method: str, path: str, body: Any, world: World) -> None:
    everything = {"job": world.job, **world.ids, **vars(world)}
    world.client.call(method, path.format(**everything), body)


def _confirm(world: World) -> None:
    body = {"document_id": world.document_id}
    world.client.post(f"{world.job}/documents/confirm-upload", body)


def sends(method: str, path: str, body: Any = None) -> Callable[[World], Any]:
    return functools.partial(change, method, path, body)


def adds(path: str, body: Any) -> Callable[[World], Any]:
    return functools.partial(new, path, body)


CHANGES: list[Change] = [
    ("job made", new_job, {*LISTS, "/jobs/metrics/activity", "/jobs/stats/funnel"}),
    ("job changed", sends("PATCH", "{job}", {"location": "Graz"}), JOB),
    ("status changed", sends("PATCH", "{job}", {"status": "offer"}), JOB | STEPS),
    ("tags changed", sends("PATCH", "{job}", {"tags": ["a", "b"]}), JOB),
    ("note added", adds("{job}/notes", {"body": "More."}), JOB | NOTES),
    ("note deleted", sends("DELETE", "{job}/notes/{new_id}"), JOB | NOTES),
    ("document announced", adds("{job}/documents/presign-upload", RESUME), JOB | DOCUMENTS),
    ("document deleted", sends("DELETE", "{job}/documents/{new_id}"), JOB | DOCUMENTS),
    ("document confirmed", _confirm, JOB | DOCUMENTS | {"{job}/documents/{document_id}"}),
    ("interview made", adds("{job}/interviews", WHEN), JOB | INTERVIEWS),
    (
        "interview changed",
        sends("PATCH", "{job}/interviews/{interview_id}", {"notes": "Ask for more."}),
        JOB | INTERVIEWS | {"{job}/interviews/{interview_id}"},
    ),
    ("interview deleted", sends("DELETE", "{job}/interviews/{new_id}"), JOB | INTERVIEWS),
    ("view made", adds("/saved-views", {"name": "Other", "data": {}}), VIEWS),
    (
        "view changed",
        sends("PATCH", "/saved-views/{view_id}", {"data": {"a": 1}}),
        VIEWS | {"/saved-views/{view_id}"},
    ),
    ("view deleted", sends("DELETE", "/saved-views/{new_id}"), VIEWS),
    (
        "settings",
        sends("PUT", "/users/me/settings", {"auto_refresh_seconds": 30}),
        ME | {"/users/me/settings"},
    ),
    (
        "preferences",
        sends("PATCH", "/users/me/ui-preferences", {"preferences": {"a": True}}),
        ME | {"/users/me/ui-preferences"},
    ),
    # A step of the past: the job's own fields stay as they are.
    ("step recorded", new_step, (JOB | STEPS) - {"{job}/activity", "/jobs/metrics/activity"}),
    (
        "step taken back",
        sends("DELETE", "{job}/history/{new_step_id}"),
        (JOB | STEPS) - {"{job}/activity", "/jobs/metrics/activity"},
    ),
    (
        "job deleted",
        sends("DELETE", "/jobs/{second}"),
        {*LISTS, "/jobs/metrics/activity", "/jobs/stats/funnel"},
    ),
    ("last note deleted", sends("DELETE", "{job}/notes/{note_id}"), JOB | NOTES),
]


def test_every_change_is_seen_everywhere_at_once(
    client: Api, bob: Api, world: World, engine: Engine
):
    paths, bobs = world.paths(), World(bob, "acme")
    hers = {path: ask(client, path) for path in paths}
    his = {path: ask(bob, path) for path in bobs.paths()}
    assert {answer.status_code for answer in (*hers.values(), *his.values())} == {200}
    his_revision = revision(engine, bob)
    for number, (name, do, dependents) in enumerate(CHANGES):
        before = revision(engine, client)
        do(world)
        assert revision(engine, client) == before + 1, name
        must_differ = {path.format(job=world.job, **world.ids) for path in dependents}
        differ = set()
        for path, old in hers.items():
            truth = fresh(client, path, number)
            again = ask(client, path, If_None_Match=old.headers["ETag"])
            told = f"{name}: {path}"
            if truth.status_code == 404:
                assert again.status_code == 404, told
                continue
            kept = ask(client, path)
            if truth.body != old.body:
                differ.add(path.partition("?")[0])
                assert again.status_code == 200, told
                assert again.headers["ETag"] != old.headers["ETag"], told
            if path != BY_THE_CLOCK:
                assert kept.body == truth.body, told
                assert again.body == (truth.body if again.status_code == 200 else b""), told
                assert again.headers["ETag"] == kept.headers["ETag"]
            hers[path] = kept
        assert differ >= must_differ, name
        # All else that is the same as it was may be told to have changed; this must not be.
        assert differ <= must_differ | {*paths_of_job(world), BY_THE_CLOCK}, name
    assert revision(engine, bob) == his_revision
    for path, old in his.items():
        if path != BY_THE_CLOCK:
            again = ask(bob, path, If_None_Match=old.headers["ETag"])
            assert (again.status_code, again.body) == (304, b""), path


def paths_of_job(world: World) -> set[str]:
    """What a change of the job, or of anything of its, may be seen in."""
    return {path.format(job=world.job) for path in JOB}


def test_what_changes_nothing_is_not_counted(
    client: Api, bob: Api, world: World, engine: Engine, pool: Pool
):
    client.patch(world.job, {"tags": ["a"], "status": "offer", "location": "Graz"})
    _confirm(world)
    client.put("/users/me/settings", {"theme": "light"})
    client.patch("/users/me/ui-preferences", {"preferences": {"a": True}})
    key = {"Idempotency-Key": f"nothing {world.job_id}".replace(" ", "-")}
    made = {"company_name": "x", "job_title": "y"}
    first = client.post("/jobs", made, headers=key)
    before = revision(engine, client)
    documents = f"{world.job}/documents"

    client.patch(world.job, {"tags": ["A ", "a"], "status": "offer", "location": " Graz "})
    client.patch(world.job, {})
    client.patch(f"{world.job}/interviews/{world.interview_id}", {"status": "scheduled"})
    client.patch(f"/saved-views/{world.view_id}", {"name": "Mine", "data": {}})
    client.put("/users/me/settings", {"theme": "light"})
    client.put("/users/me/settings", {})
    client.patch("/users/me/ui-preferences", {"preferences": {"a": True, "b": None}})
    client.patch("/users/me/ui-preferences", {"preferences": {}})
    _confirm(world)
    assert client.post("/jobs", made, headers=key).body == first.body
    client.get(f"{documents}/{world.document_id}/presign-download")
    client.refused(422, "POST", "/jobs", {"company_name": "x"})
    client.refused(409, "POST", "/saved-views", {"name": "Mine", "data": {}})
    client.refused(404, "DELETE", f"{world.job}/history/999999999")
    client.refused(404, "DELETE", f"{world.job}/notes/999999")
    client.refused(412, "PATCH", world.job, {"location": "x"}, headers={"If-Match": '"0"'})
    client.refused(412, "DELETE", world.job, headers={"If-Match": '"0"'})
    client.post(
        "/auth/cognito/login", {"email": "ada@example.com", "password": PASSWORD}, status=200
    )
    for path in world.paths():
        ask(client, path)
    World(bob, "other")
    with engine.connect() as connection:
        connection.execute(text("DELETE FROM jobs"))
        connection.rollback()
    assert revision(engine, client) == before


def test_what_is_changed_at_sign_in(client: Api, pool: Pool, engine: Engine, busy_app: Any):
    email = "cleo@example.com"
    cleo = client.signed_in(pool.user(email, "Cleo").access_token)
    old = {path: ask(cleo, path) for path in ("/users/me", "/jobs", "/users/me/settings")}
    before = revision(engine, cleo)
    pool.client.admin_update_user_attributes(
        UserPoolId=pool.pool_id,
        Username=email,
        UserAttributes=[{"Name": "name", "Value": "Cleopatra"}],
    )
    try:
        client.post("/auth/cognito/login", {"email": email, "password": PASSWORD}, status=200)
        assert revision(engine, cleo) == before + 1
        for path, answer in old.items():
            again = ask(cleo, path, If_None_Match=answer.headers["ETag"])
            assert again.status_code == 200
            assert (again.body == answer.body) == (path != "/users/me")
        assert cleo.get("/users/me").json["name"] == "Cleopatra"
    finally:
        pool.client.admin_update_user_attributes(
            UserPoolId=pool.pool_id,
            Username=email,
            UserAttributes=[{"Name": "name", "Value": "Cleo"}],
        )


class TestRevisionsBySql:
    """However something is changed, each transaction counts once."""

    def ids(self, client: Api) -> int:
        return client.get("/users/me").json["id"]

    def test_several_statements_over_several_tables(
        self, client: Api, bob: Api, world: World, engine: Engine
    ):
        hers, his = revision(engine, client), revision(engine, bob)
        known = ask(client, world.job).headers["ETag"]
        given = {"user": self.ids(client), "job": world.job_id}
        with engine.begin() as connection:
            for statement in (
                "UPDATE jobs SET location = 'Linz' WHERE user_id = :user",
                "UPDATE users SET theme = 'light' WHERE id = :user",
                "INSERT INTO notes (user_id, application_id, body) VALUES (:user, :job, 'x')",
                "UPDATE interviews SET notes = 'y' WHERE user_id = :user",
                "UPDATE saved_views SET name = 'z' WHERE user_id = :user",
                "DELETE FROM documents WHERE user_id = :user",
                "UPDATE job_steps SET at = at - interval '1 day' WHERE user_id = :user",
                "UPDATE users SET theme = 'dark', name = 'A.' WHERE id = :user",
            ):
                assert connection.execute(text(statement), given).rowcount == 1
            # Not yet: nobody can see any of it.
            assert ask(client, world.job, If_None_Match=known).status_code == 304
        assert ask(client, world.job, If_None_Match=known).status_code == 200
        assert (revision(engine, client), revision(engine, bob)) == (hers + 1, his)

    def test_each_table(self, client: Api, bob: Api, world: World, engine: Engine):
        World(bob, "other")
        before = revision(engine, client), revision(engine, bob)
        for number, statement in enumerate(
            (
                "UPDATE jobs SET location = 'Linz'",
                "UPDATE jobs SET last_activity_at = last_activity_at - interval '1 day'",
                "INSERT INTO notes (user_id, application_id, body)"
                " SELECT user_id, id, 'x' FROM jobs",
                "UPDATE notes SET body = 'y'",
                "DELETE FROM notes",
                "UPDATE documents SET scan_status = 'CLEAN'",
                "DELETE FROM documents",
                "UPDATE interviews SET notes = 'y'",
                "DELETE FROM interviews",
                "UPDATE saved_views SET name = 'z'",
                "DELETE FROM saved_views",
                "UPDATE job_steps SET at = at - interval '1 day'",
                "UPDATE users SET name = 'somebody'",
                "UPDATE users SET ui_preferences = '{\"x\": true}'",
                "DELETE FROM jobs",
            ),
            start=1,
        ):
            with engine.begin() as connection:
                connection.exec_driver_sql(statement)
            after = revision(engine, client), revision(engine, bob)
            assert after == (before[0] + number, before[1] + number), statement

    def test_savepoints(self, client: Api, world: World, engine: Engine):
        before = revision(engine, client)
        with engine.begin() as connection:
            undone = connection.begin_nested()
            connection.execute(text("UPDATE users SET theme = 'light'"))
            connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
            connection.execute(text("DELETE FROM jobs"))
            undone.rollback()
        assert revision(engine, client) == before
        with engine.begin() as connection:
            undone = connection.begin_nested()
            connection.execute(text("UPDATE users SET theme = 'light'"))
            undone.rollback()
            connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
            connection.execute(text("UPDATE jobs SET location = 'a'"))
            with connection.begin_nested():
                connection.execute(text("UPDATE jobs SET location = 'b'"))
                connection.execute(text("UPDATE users SET theme = 'light'"))
        assert revision(engine, client) == before + 1

    def test_what_is_given_to_another_user_is_news_to_both(
        self, client: Api, bob: Api, engine: Engine
    ):
        client.post("/saved-views", {"name": "Mine", "data": {}})
        assert bob.get("/saved-views").json == []
        assert len(client.get("/saved-views").json) == 1
        before = revision(engine, client), revision(engine, bob)
        with engine.begin() as connection:
            connection.execute(
                text("UPDATE saved_views SET user_id = :user"), {"user": self.ids(bob)}
            )
        assert len(bob.get("/saved-views").json) == 1
        assert client.get("/saved-views").json == []
        assert (revision(engine, client), revision(engine, bob)) == (before[0] + 1, before[1] + 1)

    def test_all_at_once(self, client: Api, world: World, engine: Engine):
        before = revision(engine, client)
        user_id = self.ids(client)

        def write(number: int) -> None:
            for turn in range(5):
                if number % 2:
                    client.patch(world.job, {"location": f"{number} {turn}"})
                else:
                    with engine.begin() as connection:
                        connection.execute(
                            text(
                                "INSERT INTO notes (user_id, application_id, body)"
                                " VALUES (:user, :job, 'x')"
                            ),
                            {"user": user_id, "job": world.job_id},
                        )

        with ThreadPoolExecutor(6) as threads:
            list(threads.map(write, range(6)))
        assert revision(engine, client) == before + 30


def test_the_sweeper_counts_once_for_each_user(
    client: Api, bob: Api, world: World, engine: Engine, busy_app: Any
):
    client.post(f"{world.job}/documents/presign-upload", RESUME)
    World(bob, "other")
    path = f"{world.job}/documents"
    assert len(client.get(path).json) == 2
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE documents SET upload_expires_at = now() - interval '1 day'")
        )
    before = revision(engine, client), revision(engine, bob)
    known = ask(client, path).headers["ETag"]
    assert ask(client, path, If_None_Match=known).status_code == 304
    assert sweep(busy_app.registry) is None
    assert ask(client, path, If_None_Match=known).json == []
    assert (revision(engine, client), revision(engine, bob)) == (before[0] + 1, before[1] + 1)
    assert sweep(busy_app.registry) is None
    assert (revision(engine, client), revision(engine, bob)) == (before[0] + 1, before[1] + 1)


def test_each_commit_at_the_prompt_counts_once(
    client: Api, bob: Api, world: World, engine: Engine, busy_app: Any
):
    before = revision(engine, client)
    his = revision(engine, bob)
    env = prepare(registry=busy_app.registry)
    manager = pshell.setup(env)
    next(manager)
    try:
        env["act_as"]("ada@example.com")
        job = env["root"]["jobs"][world.job_id]
        job.update(location="Linz")
        job["notes"].add(body="Called back.")
        env["root"]["users"]["me"]["settings"].update(theme="light")
        env["commit"]()
        assert revision(engine, client) == before + 1
        job.update(location="Graz")
        env["rollback"]()
        assert revision(engine, client) == before + 1
        job["history"].record("offer")
        env["commit"]()
        assert revision(engine, client) == before + 2
    finally:
        next(manager, None)
        env["closer"]()
    assert (revision(engine, client), revision(engine, bob)) == (before + 2, his)


# ------------------------------------------------------------------------------ ETags


def test_nothing_new_has_no_body(client: Api, world: World):
    for path in world.paths():
        for is_kept in (False, True):
            first = ask(client, path)
            etag = first.headers["ETag"]
            assert tags_of(etag) == [etag.strip('"')]
            assert first.headers["Cache-Control"] == "private, no-cache"
            assert set(first.headers["Vary"].split(", ")) >= {"Authorization", "Origin"}
            head = client.call("HEAD", path)
            assert head.body == b""
            for name in ("ETag", "Cache-Control", "Vary", "Content-Type", "Content-Length"):
                if path != BY_THE_CLOCK:
                    assert head.headers[name].split() == (client.get(path).headers[name].split()), (
                        path,
                        name,
                    )
            if path == BY_THE_CLOCK:
                continue
            for method in ("GET", "HEAD"):
                same = client.call(method, path, status=304, headers={"If-None-Match": etag})
                assert same.body == b"", (path, is_kept)
                assert same.headers["ETag"] == etag
                assert same.headers["Cache-Control"] == "private, no-cache"
                assert "Authorization" in same.headers["Vary"]
                assert "Content-Type" not in same.headers


@pytest.mark.parametrize(
    ("status", "asked"),
    [
        (304, ["{etag}", '"a", {etag} , "b"', '"a",{etag}', '"a", ' * 2000 + "{etag}"]),
        (304, ["W/{etag}", '"a", W/{etag}']),  # RFC 9110, 13.1.2: the weak comparison
        (200, ['"a"', '""', "", "garbage", '"', "{bare}", 'W/"a", "*"', "\u00fc", '"' * 5001]),
    ],
)
def test_if_none_match(client: Api, status: int, asked: list[str]):
    job = client.post("/jobs", {"company_name": "Acme", "job_title": "x"}).headers["Location"]
    for path, method, header in itertools.product(
        ("/jobs", "/jobs/board", job), ("GET", "HEAD"), asked
    ):
        etag = ask(client, path).headers["ETag"]
        header = header.format(etag=etag, bare=etag.strip('"'))
        answer = ask(client, path, method, If_None_Match=header)
        assert answer.status_code == status, (path, header)
        assert (answer.body == b"") == (status == 304 or method == "HEAD")
        assert "Authorization" in answer.headers["Vary"]
        assert answer.headers["Cache-Control"] == "private, no-cache"
        if status == 200:
            assert answer.headers["ETag"] == etag


def test_any_etag_will_do_whether_or_not_it_is_kept(client: Api):
    for path in ("/jobs", "/jobs/board"):
        for _ in range(2):
            for star in ("*", " * "):
                assert ask(client, path, If_None_Match=star).status_code == 304, path
            ask(client, path)


def test_what_is_gone_is_404_whatever_is_asked(client: Api, world: World):
    etag = ask(client, world.job).headers["ETag"]
    client.delete(world.job)
    for asked in (etag, "*", '"a"'):
        client.refused(404, "GET", world.job, headers={"If-None-Match": asked})


def test_what_nobody_keeps(client: Api, world: World):
    _confirm(world)
    download = f"{world.job}/documents/{world.document_id}/presign-download"
    login = {"email": "ada@example.com", "password": PASSWORD}
    nobody = Api(client.app)
    answers = [
        client.get(download),
        client.call("HEAD", download),
        client.get(download, headers={"If-None-Match": "*"}),
        client.get("/users/me/mfa"),
        client.get("/users/me/mfa", headers={"If-None-Match": "*"}),
        (signed_in := nobody.post("/auth/cognito/login", login)),
        nobody.post(
            "/auth/cognito/refresh",
            {"refresh_token": signed_in.json["tokens"]["refresh_token"]},
        ),
        nobody.post("/auth/cognito/logout"),
        nobody.post("/auth/cognito/login", {**login, "password": "wrong"}, status=401),
        nobody.get("/jobs", status=401, headers={"If-None-Match": "*"}),
        client.get("/jobs/999999", status=404),
        client.get("/jobs?limit=0", status=422),
        client.get("/nothing", status=404),
        client.put("/jobs", {}, status=405),
        client.post("/saved-views", {"name": "Mine", "data": {}}, status=409),
        client.patch(world.job, {}, status=412, headers={"If-Match": '"0"'}),
        client.delete(world.job, status=412, headers={"If-Match": '"0"'}),
    ]
    for answer in answers:
        assert "ETag" not in answer.headers, answer.request.path
        assert answer.headers["Cache-Control"] == "no-store", answer.request.path


def test_answers_to_writes_are_not_kept_by_anybody(client: Api, world: World):
    for answer in (
        client.patch(world.job, {"location": "Graz"}),
        client.post(f"{world.job}/notes", {"body": "x"}),
        client.post(f"{world.job}/documents/presign-upload", RESUME),
        client.put("/users/me/settings", {"theme": "light"}),
        client.delete(world.job),
    ):
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/jobs/board", "/jobs/search?q=acme"])
@pytest.mark.parametrize(
    "past",
    [
        "next_action_at = now() - interval '1 second'",
        "last_activity_at = now() - interval '5 days 1 second'",
    ],
)
def test_what_the_clock_changes_is_seen(client: Api, engine: Engine, path: str, past: str):
    body = {"company_name": "Acme", "job_title": "x", "next_action_at": "2999-01-01T00:00:00Z"}
    client.post("/jobs", body)
    before = revision(engine, client)
    old = ask(client, path)
    assert b'"needs_follow_up":false' in old.body
    assert ask(client, path, If_None_Match=old.headers["ETag"]).status_code == 304
    with engine.begin() as connection:
        # As if it had been so for long: no trigger notices.
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text(f"UPDATE jobs SET {past}"))  # noqa: S608
    assert revision(engine, client) == before
    now = ask(client, path, If_None_Match=old.headers["ETag"])
    assert now.status_code == 200
    assert b'"needs_follow_up":true' in now.body
    assert ask(client, path, If_None_Match=now.headers["ETag"]).status_code == 304


def test_what_comes_due_while_nobody_writes(client: Api, engine: Engine):
    with engine.begin() as connection:
        soon = connection.execute(
            text(
                "SELECT to_char((now() + interval '0.4 seconds') AT TIME ZONE 'UTC',"
                ' \'YYYY-MM-DD"T"HH24:MI:SS.US"Z"\')'
            )
        ).scalar_one()
    client.post("/jobs", {"company_name": "Acme", "job_title": "x", "next_action_at": soon})
    paths = ("/jobs/board", "/jobs/search?q=acme")
    known = {path: ask(client, path) for path in paths}
    before = revision(engine, client)
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_sleep(0.5)"))
    for path, old in known.items():
        now = ask(client, path, If_None_Match=old.headers["ETag"])
        assert now.status_code == 200
        assert b'"needs_follow_up":true' in now.body
        assert b'"needs_follow_up":false' in old.body
    assert revision(engine, client) == before


# ------------------------------------------------------------------------------ what is kept


def test_nobody_is_given_what_is_anothers_or_of_another_query(client: Api, bob: Api):
    for who, api in (("ada", client), ("bob", bob)):
        for number in range(3):
            body = {"company_name": f"{who}{number}", "job_title": "x", "tags": [f"t{number}"]}
            api.post("/jobs", body)
    for _ in range(2):
        for who, api in (("ada", client), ("bob", bob)):
            for number in range(3):
                for path in (f"/jobs?tag=t{number}", f"/jobs?q={who}{number}"):
                    (found,) = ask(api, path).json
                    assert found["company_name"] == f"{who}{number}"
                assert len(ask(api, f"/jobs?limit={number + 1}").json) == number + 1
            assert len(ask(api, "/jobs?").json) == 3
            his = ask(bob if api is client else client, "/jobs").headers["ETag"]
            assert ask(api, "/jobs", If_None_Match=his).status_code == 200


def test_nobody_is_given_what_is_out_of_date(client: Api, bob: Api):
    """Two users write and read at once, and no read is older than a write that was acknowledged
    before it began."""
    worlds = []
    for who, api in (("ada", client), ("bob", bob)):
        job_id = api.post("/jobs", {"company_name": who, "job_title": "0"}).json["id"]
        worlds.append((who, api, f"/jobs/{job_id}"))
    acknowledged = {"ada": 0, "bob": 0}
    is_over = Event()

    def write(who: str, api: Api, job: str) -> None:
        own = {"Authorization": f"Bearer {api.token}"}
        for number in range(1, 41):
            api.app.request(
                job,
                method="PATCH",
                headers={**own, "Content-Type": "application/json"},
                body=b'{"job_title": "%d"}' % number,
            )
            acknowledged[who] = number

    def read(seed: int) -> int:
        chance = random.Random(seed)  # noqa: S311
        known: dict[tuple[str, str], TestResponse] = {}
        times = 0
        while not is_over.is_set():
            who, api, job = chance.choice(worlds)
            path = chance.choice(
                [job, "/jobs", "/jobs?limit=1", "/jobs/board", f"{job}/details", f"/jobs?q={who}"]
            )
            old = known.get((who, path)) if chance.random() < 0.7 else None
            headers = {"If_None_Match": old.headers["ETag"]} if old is not None else {}
            least = acknowledged[who]
            answer = ask(api, path, **headers)
            if answer.status_code == 304:
                assert old is not None
                assert answer.headers["ETag"] == old.headers["ETag"]
                answer = old
            assert answer.status_code == 200
            body = answer.json
            body = body[0] if isinstance(body, list) else body
            body = body.get("jobs", [body])[0]
            body = body.get("job", body)
            assert body["company_name"] == who
            assert int(body["job_title"]) >= least, path
            known[who, path] = answer
            times += 1
        return times

    with ThreadPoolExecutor(6) as threads:
        readers = [threads.submit(read, seed) for seed in range(4)]
        writers = [threads.submit(write, *one) for one in worlds]
        try:
            for writer in writers:
                writer.result()
        finally:
            is_over.set()
        assert sum(reader.result() for reader in readers) > 50
    for who, api, job in worlds:
        assert api.get(job).json["job_title"] == "40", who


class TestBodies:
    HEADERS = (("Content-Type", "application/json"), ("ETag", '"x"'))

    def kept(self, size: int) -> CachedResponse:
        return CachedResponse(b"x" * (size - CachedResponse(b"", self.HEADERS).size), self.HEADERS)

    def sizes(self, bodies: ResponseCache, tags: range) -> list[int]:
        return [kept.size for tag in tags if (kept := bodies.get(str(tag))) is not None]

    def test_stay_within_their_bytes(self):
        bodies = ResponseCache(80_000)
        chance = random.Random(1)  # noqa: S311
        for tag in range(2000):
            bodies.put(str(tag), self.kept(chance.randrange(1000, 12_000)))
            if not tag % 100:
                assert sum(self.sizes(bodies, range(tag + 1))) <= 80_000
        sizes = self.sizes(bodies, range(2000))
        assert 40_000 < sum(sizes) <= 80_000
        assert max(sizes) <= 10_000

    def test_those_that_were_asked_for_last_stay(self):
        bodies = ResponseCache(80_000)
        bodies.put("old", self.kept(5000))
        for tag in range(100):
            bodies.put(str(tag), self.kept(5000))
            assert bodies.get("old") is not None
        assert bodies.get("0") is None
        assert bodies.get("99") is not None

    def test_what_is_too_large_drives_nothing_out(self):
        bodies = ResponseCache(80_000)
        bodies.put("small", self.kept(10_000))
        bodies.put("large", self.kept(10_001))
        assert bodies.get("small") is not None
        assert bodies.get("large") is None

    def test_what_is_put_twice_counts_once(self):
        bodies = ResponseCache(80_000)
        for _ in range(100):
            bodies.put("same", self.kept(10_000))
        bodies.put("other", self.kept(10_000))
        assert bodies.get("same") is not None

    def test_many_small_ones_are_not_for_nothing(self):
        """An empty list takes more room than its two bytes."""
        bodies = ResponseCache(200_000)
        tracemalloc.start()
        try:
            for tag in range(20_000):
                headers = (("ETag", f'"{tag}"'), ("Link", f"<{tag}>"))
                bodies.put(str(tag), CachedResponse(f"[{tag}]".encode(), headers))
            used, _peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert used < 2 * 200_000

    def test_can_be_shared(self):
        bodies = ResponseCache(80_000)
        barrier = Barrier(8)

        def use(seed: int) -> None:
            chance = random.Random(seed)  # noqa: S311
            barrier.wait()
            for _ in range(1000):
                tag = chance.randrange(50)
                bodies.put(str(tag), CachedResponse(b"%02d" % tag * 2000, ()))
                kept = bodies.get(str(chance.randrange(50)))
                assert kept is None or len(set(kept.body[::2] + b"\0")) <= 2

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(use, range(8)))
        assert sum(self.sizes(bodies, range(50))) <= 80_000


# ------------------------------------------------------------------------------ If-Match


@pytest.fixture
def job(client: Api) -> str:
    return f"/jobs/{client.post('/jobs', {'company_name': 'Acme', 'job_title': 'x'}).json['id']}"


def if_match(etag: str) -> dict[str, str]:
    return {"If-Match": etag}


def without_notes(job: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in job.items() if name != "notes"}


def test_tabs_that_lose_nothing(client: Api, job: str):
    known = client.get(job).headers["ETag"]
    first = client.patch(job, {"location": "Graz"}, headers=if_match(known), status=200)
    present = without_notes(client.get(job).json)
    for body in ({"location": "Linz"}, {"location": "Graz"}, {"status": "offer"}, {}):
        error = client.refused(412, "PATCH", job, body, headers=if_match(known))
        assert error["error"] == "PRECONDITION_FAILED"
        assert error["details"] == {"current": present}
        assert without_notes(client.get(job).json) == present
    second = client.patch(
        job, {"location": "Linz"}, headers=if_match(first.headers["ETag"]), status=200
    )
    assert second.headers["ETag"] not in (first.headers["ETag"], known)
    # Who says nothing of what they know changes it all the same.
    third = client.patch(job, {"status": "offer"})
    client.refused(412, "PATCH", job, {}, headers=if_match(second.headers["ETag"]))
    same = client.patch(job, {"status": "offer"}, headers=if_match(third.headers["ETag"]))
    assert same.headers["ETag"] == third.headers["ETag"]
    assert client.get(job).json["location"] == "Linz"


def test_only_the_jobs_own_changes_count(client: Api, world: World):
    known = client.get(world.job).headers["ETag"]
    client.post(f"{world.job}/notes", {"body": "x"})
    client.post("/jobs", {"company_name": "x", "job_title": "y"})
    client.put("/users/me/settings", {"theme": "light"})
    client.patch(f"{world.job}/interviews/{world.interview_id}", {"notes": "x"})
    _confirm(world)
    client.post(f"{world.job}/history", {"status": "saved", "at": "2026-01-01T00:00:00Z"})
    assert client.get(world.job).headers["ETag"] != known
    after = client.patch(world.job, {"location": "Graz"}, headers=if_match(known), status=200)
    # A step that is the latest is a change of the job.
    client.post(f"{world.job}/history", {"status": "offer"})
    etag = if_match(after.headers["ETag"])
    error = client.refused(412, "PATCH", world.job, {"location": "x"}, headers=etag)
    assert error["details"]["current"]["status"] == "offer"


def test_if_match_of_the_present_version(client: Api):
    for asked in ("{etag}", '"a", {etag}', '{etag},"a"', '"0-x", {etag}, W/"b"', "*", " * "):
        path = client.post("/jobs", {"company_name": "Acme", "job_title": "x"}).headers["Location"]
        etag = client.get(path).headers["ETag"]
        headers = if_match(asked.format(etag=etag))
        etag = client.patch(path, {"location": "Linz"}, headers=headers, status=200).headers["ETag"]
        client.delete(path, headers=if_match(asked.format(etag=etag)), status=204)


@pytest.mark.parametrize("path", ["job", "/users/me/settings"])
def test_if_match_of_no_version_that_is_there(client: Api, job: str, path: str):
    path = job if path == "job" else path
    body = {"location": "Linz"} if path == job else {"theme": "light"}
    stale = client.get(path).headers["ETag"]
    client.call("PATCH" if path == job else "PUT", path, dict.fromkeys(body, "system"))
    now = client.get(path)
    etag = now.headers["ETag"]
    for asked in (
        *(stale, f"W/{etag}", f'W/{etag}, {stale}, "a"', etag.strip('"'), "garbage", "", ","),
        *('""', '"-"', '"*"', '"-1"', f'"{"9" * 26}"', '"9223372036854775808"', "\u00fc"),
        *('"\u00b2"', '"a", ' * 2000, '"' * 5001),
    ):
        for method in ("PATCH", "DELETE") if path == job else ("PUT",):
            client.refused(412, method, path, body, headers=if_match(asked))
    assert client.get(path).body == now.body


def test_what_is_not_there_is_404_before_it_is_412(client: Api, bob: Api, job: str):
    for method in ("PATCH", "DELETE"):
        for asked in ('"1"', "*", "W/x"):
            bob.refused(404, method, job, {}, headers=if_match(asked))


def test_one_of_two_tabs_wins(client: Api, job: str):
    for turn in range(6):
        known = if_match(client.get(job).headers["ETag"])

        def patch(number: int, turn: int = turn, known: dict[str, str] = known) -> TestResponse:
            body = {"location": f"{turn} {number}"}
            return client.patch(job, body, headers=known, status="*")

        answers = at_once(patch, 2)
        assert statuses(answers) == [200, 412]
        won, lost = sorted(answers, key=lambda answer: answer.status_code)
        assert lost.json["details"]["current"] == won.json == without_notes(client.get(job).json)


def test_one_of_two_tabs_wins_when_both_want_the_same(client: Api, job: str):
    for turn in range(3):
        known = if_match(client.get(job).headers["ETag"])

        def patch(_number: int, turn: int = turn, known: dict[str, str] = known) -> TestResponse:
            return client.patch(job, {"location": str(turn)}, headers=known, status="*")

        assert statuses(at_once(patch, 2)) == [200, 412]


def test_a_deletion_or_a_change_wins(client: Api):
    for turn in range(4):
        made = client.post("/jobs", {"company_name": "Acme", "job_title": "x"})
        path = f"/jobs/{made.json['id']}"
        known = if_match(client.get(path).headers["ETag"])

        def call(number: int, path: str = path, known: dict[str, str] = known) -> TestResponse:
            if number:
                return client.call("DELETE", path, headers=known, status="*")
            return client.patch(path, {"location": "x"}, headers=known, status="*")

        assert statuses(at_once(call, 2)) in ([200, 412], [204, 404]), turn


def test_a_deletion_with_if_match(client: Api, job: str):
    known = client.get(job).headers["ETag"]
    now = client.patch(job, {"location": "Graz"})
    error = client.refused(412, "DELETE", job, headers=if_match(known))
    assert error["details"]["current"] == now.json
    client.delete(job, headers=if_match(now.headers["ETag"]), status=204)
    client.refused(404, "DELETE", job, headers=if_match(now.headers["ETag"]))


def test_settings_with_if_match(client: Api):
    path = "/users/me/settings"
    known = client.get(path).headers["ETag"]
    # What is no setting does not count.
    client.patch("/users/me/ui-preferences", {"preferences": {"a": True}})
    client.post("/jobs", {"company_name": "x", "job_title": "y"})
    first = client.put(path, {"theme": "light"}, headers=if_match(known), status=200)
    present = client.get(path).json
    for body in ({"theme": "system"}, {"theme": "light"}, {}):
        error = client.refused(412, "PUT", path, body, headers=if_match(known))
        assert error["error"] == "PRECONDITION_FAILED"
        assert error["details"] == {"current": present}
    assert client.get(path).json == present
    etag = first.headers["ETag"]
    client.refused(412, "PUT", path, {"theme": "system"}, headers=if_match(f"W/{etag}"))
    second = client.put(path, {"theme": "system"}, headers=if_match(etag), status=200)
    client.put(path, {"theme": "dark"}, headers=if_match(f'"a", {second.headers["ETag"]}'))
    client.put(path, {"theme": "light"}, headers=if_match("*"), status=200)

    paces = (10, 30, 60)
    for pace in paces:
        known_now = if_match(client.get(path).headers["ETag"])

        def put(number: int, pace: int = pace, known: dict[str, str] = known_now) -> TestResponse:
            body = {"auto_refresh_seconds": pace, "data_retention_days": number}
            return client.put(path, body, headers=known, status="*")

        answers = at_once(put, 2)
        assert statuses(answers) == [200, 412]
        won, lost = sorted(answers, key=lambda answer: answer.status_code)
        won_body = {name: value for name, value in won.json.items() if name != "message"}
        assert lost.json["details"]["current"] == won_body == client.get(path).json


def test_fields_of_settings_that_are_set_at_once_are_all_kept(client: Api):
    path = "/users/me/settings"
    given: list[dict[str, Any]] = [
        *({"theme": "light"}, {"auto_refresh_seconds": 30}),
        *({"default_jobs_sort": "company_asc"}, {"data_retention_days": 7}),
    ]
    client.get(path)
    answers = at_once(lambda number: client.put(path, given[number], status="*"), len(given))
    assert statuses(answers) == [200] * len(given)
    after = client.get(path).json
    for some in given:
        assert after.items() >= some.items()


def test_fields_that_are_set_together_stay_together(client: Api, job: str):
    fields = ("company_name", "job_title", "location", "next_action_title")

    def patch(number: int) -> TestResponse:
        return client.patch(job, dict.fromkeys(fields, f"{turn} by {number}"), status="*")

    for turn in range(3):
        answers = at_once(patch)
        assert statuses(answers) == [200] * len(answers)
        for number, answer in enumerate(answers):
            assert {answer.json[name] for name in fields} == {f"{turn} by {number}"}
        assert len({client.get(job).json[name] for name in fields}) == 1


def test_no_change_is_lost_silently(client: Api, job: str):
    """A counter that many tabs count up: read, add one, write if nobody else has."""

    def count(_number: int) -> TestResponse:
        while True:
            seen = client.get(job)
            body = {"next_action_title": str(int(seen.json["next_action_title"] or 0) + 1)}
            answer = client.patch(job, body, headers=if_match(seen.headers["ETag"]), status="*")
            if answer.status_code == 200:
                return answer
            assert answer.status_code == 412

    answers = at_once(count, 6)
    assert statuses(answers) == [200] * 6
    assert client.get(job).json["next_action_title"] == "6"
    assert sorted(int(answer.json["next_action_title"]) for answer in answers) == [*range(1, 7)]
