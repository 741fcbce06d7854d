"""Lists in pages: nothing twice, nothing skipped, and cursors that nobody can make up."""

import base64
import itertools
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, text
from webtest import TestResponse

from jobtracker.http.pagination import SIGNATURE_BYTES, Cursors
from jobtracker.http.rate_limits import RateLimiter
from jobtracker.jobs.models import Status
from tests.common.api import Api
from tests.common.pool import Pool

SORTS = ("activity", "created", "updated", "company", "status")


@pytest.fixture(autouse=True)
def _nobody_has_asked_yet(busy_app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(busy_app.registry, "rate_limiter", RateLimiter("memory://"))


@pytest.fixture
def engine(busy_app: Any) -> Engine:
    return busy_app.registry["db_engine"]


@pytest.fixture
def bob(client: Api, pool: Pool) -> Api:
    return client.signed_in(pool.user("bob@example.com", "Bob").access_token)


def next_of(answer: TestResponse) -> str | None:
    """The path and query of the next page."""
    if "Link" not in answer.headers:
        return None
    link = re.fullmatch(r'<(http://localhost(?::80)?)(/[^>]*)>; rel="next"', answer.headers["Link"])
    assert link, answer.headers["Link"]
    return link[2]


def pages(client: Api, path: str) -> Iterator[list[Any]]:
    """A walk, page by page."""
    there: str | None = path
    while there is not None:
        answer = client.get(there)
        there = next_of(answer)
        assert isinstance(answer.json, list)
        yield answer.json


def walk(client: Api, path: str) -> list[int]:
    return [row["id"] for page in pages(client, path) for row in page]


def cursor_from(client: Api, path: str) -> str:
    there = next_of(client.get(path))
    assert there is not None
    return dict(parse_qsl(urlsplit(there).query))["cursor"]


def with_cursor(path: str, cursor: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}cursor={quote(cursor, safe='')}"


def refused(client: Api, path: str, field: str) -> None:
    error = client.refused(422, "GET", path)
    assert [entry["loc"] for entry in error["details"]["errors"]] == [["query", field]]


def user_id(client: Api) -> int:
    return client.get("/users/me").json["id"]


@pytest.fixture
def many(client: Api, engine: Engine) -> int:
    """Jobs with ties in each order. Returns how many."""
    count = 60
    with engine.begin() as connection:
        connection.execute(
            text("""
                INSERT INTO jobs (user_id, company_name, job_title, status, tags, location,
                                  created_at, updated_at, last_activity_at)
                SELECT :user,
                       (ARRAY['acme', 'ACME', 'Zürich', '"quoted" \\ % _', 'émile'])[1 + n % 5],
                       'x', (ARRAY['saved', 'applied', 'offer', 'ghosted'])[1 + n % 4],
                       ARRAY['t' || n % 3], CASE WHEN n % 2 = 0 THEN 'Graz' END,
                       moment, moment + n % 2 * interval '1 microsecond',
                       moment + n % 4 * interval '1 microsecond'
                FROM generate_series(1, :count) AS n,
                     LATERAL (SELECT timestamptz '2026-01-01 00:00:00.123456+00'
                              + n / 8 * interval '1 microsecond' AS moment) AS moments
            """),
            {"user": user_id(client), "count": count},
        )
    return count


class TestLimits:
    def test_that_are_none(self, client: Api):
        for limit in ("0", "1001", "-1", "x", "1.5", "1e2", "+5", "\u0661", "9" * 20, "9" * 1000):
            for path in ("/jobs", "/saved-views"):
                refused(client, f"{path}?limit={quote(limit)}", "limit")

    def test_of_lists_of_a_job(self, client: Api):
        job = client.post("/jobs", {"company_name": "x", "job_title": "y"}).json["id"]
        for name in ("notes", "documents", "interviews"):
            for limit in ("0", "1001", "x"):
                refused(client, f"/jobs/{job}/{name}?limit={limit}", "limit")
            assert client.get(f"/jobs/{job}/{name}?limit=1000").json == []
        refused(client, f"/jobs/{job}/activity?limit=0", "limit")
        assert len(client.get(f"/jobs/{job}/activity?limit=99999").json) == 1

    def test_of_a_page(self, client: Api, many: int):
        for limit in (1, 2, many - 1):
            answer = client.get(f"/jobs?limit={limit}")
            assert len(answer.json) == limit
            assert next_of(answer)
        for path in (f"/jobs?limit={many}", "/jobs?limit=1000", "/jobs?limit=", "/jobs"):
            answer = client.get(path)
            assert len(answer.json) == many
            assert "Link" not in answer.headers

    def test_are_a_thousand_by_themselves(self, client: Api, engine: Engine):
        with engine.begin() as connection:
            connection.execute(
                text("""
                    INSERT INTO jobs (user_id, company_name, job_title)
                    SELECT :user, 'x', 'y' FROM generate_series(1, 1001)
                """),
                {"user": user_id(client)},
            )
        own = {"Authorization": f"Bearer {client.token}"}
        first = client.app.get("/jobs", headers=own)
        assert len(first.json) == 1000
        there = next_of(first)
        assert there is not None
        second = client.app.get(there, headers=own)
        assert len(second.json) == 1
        assert next_of(second) is None
        assert len({job["id"] for job in (*first.json, *second.json)}) == 1001


class TestLinks:
    def test_keep_all_other_parameters(self, client: Api, many: int):
        given = [
            ("status", "saved"),
            ("status", "offer"),
            ("limit", "1"),
            ("q", "a"),
            ("unknown", "ü&=#+ ric"),
            ("unknown", "a b"),
            ("tag", ""),
            ("sort", "company"),
        ]
        there = next_of(client.get(f"/jobs?{urlencode(given)}"))
        assert there is not None
        query = parse_qsl(urlsplit(there).query, keep_blank_values=True)
        assert query[:-1] == given
        assert query[-1][0] == "cursor"
        after = next_of(client.get(there))
        assert after is not None
        query = parse_qsl(urlsplit(after).query, keep_blank_values=True)
        assert [name for name, _value in query].count("cursor") == 1

    def test_are_the_same_with_a_slash(self, client: Api, many: int):
        slash, none = client.get("/jobs/?limit=2"), client.get("/jobs?limit=2")
        assert next_of(slash) == next_of(none)

    def test_are_given_to_whoever_has_all_but_the_link(self, client: Api, many: int):
        """HEAD, and what is kept, have it as well."""
        link = client.get("/jobs?limit=2").headers["Link"]
        assert client.get("/jobs?limit=2").headers["Link"] == link
        assert client.call("HEAD", "/jobs?limit=2").headers["Link"] == link

    def test_lead_to_the_host_that_was_asked(self, client: Api, many: int):
        for host in ("api.example.com", "other.example.com", "api.example.com"):
            answer = client.get("/jobs?limit=2", headers={"Host": host})
            assert answer.headers["Link"].startswith(f"<http://{host}/jobs?")


class TestWalks:
    def test_give_each_row_once(self, client: Api, many: int):
        for sort in SORTS:
            whole = [job["id"] for job in client.get(f"/jobs?sort={sort}").json]
            assert len(set(whole)) == many
            for limit in (1, 7):
                assert walk(client, f"/jobs?sort={sort}&limit={limit}") == whole

    @pytest.mark.parametrize(
        "filters",
        ["q=acme", "status=saved&status=offer", "tag=t1", "tag_q=T", "q=r&tag=t2&status=ghosted"],
    )
    def test_with_filters(self, client: Api, many: int, filters: str):
        for sort in SORTS:
            path = f"/jobs?sort={sort}&{filters}"
            whole = [job["id"] for job in client.get(path).json]
            assert 0 < len(whole) <= many
            assert walk(client, f"{path}&limit=4") == whole

    def test_are_in_order(self, client: Api, many: int):
        order = {status.value: place for place, status in enumerate(Status)}
        jobs = client.get("/jobs?sort=status").json
        keys = [order[job["status"]] for job in jobs]
        assert keys == sorted(keys)
        for sort, name in (
            ("activity", "last_activity_at"),
            ("created", "created_at"),
            ("updated", "updated_at"),
        ):
            found = [(job[name], job["id"]) for job in client.get(f"/jobs?sort={sort}").json]
            assert found == sorted(found, reverse=True)
        names = [job["company_name"] for job in client.get("/jobs?sort=company").json]
        assert len(list(itertools.groupby(names, str.lower))) == 4

    def test_go_on_after_a_row_that_is_gone(self, client: Api, many: int):
        whole = walk(client, "/jobs?sort=created")
        first = client.get("/jobs?sort=created&limit=10")
        for job_id in whole[5:15]:
            client.delete(f"/jobs/{job_id}")
        there = next_of(first)
        assert there is not None
        assert walk(client, there) == whole[15:]

    def test_go_on_after_every_name_that_there_can_be(self, client: Api):
        names = [
            "\u00df" * 255,
            "\U0001f600" * 255,
            '"' * 255,
            "\\" * 255,
            "\u0130" * 255,
            "' OR 1=1 --",
            "a%b_c",
            "\u2028\u2029\u200b.",
        ]
        for name in names * 2:
            client.post("/jobs", {"company_name": name, "job_title": "x"})
        whole = [job["id"] for job in client.get("/jobs?sort=company").json]
        assert len(whole) == 2 * len(names)
        assert walk(client, "/jobs?sort=company&limit=1") == whole

    def test_go_on_after_a_name_that_json_writes_at_length(self, client: Api):
        for _ in range(2):
            name = "\x01" * 254 + "x"
            client.post("/jobs", {"company_name": name, "job_title": "x"}, status=201)
        assert len(walk(client, "/jobs?sort=company&limit=1")) == 2

    def test_while_others_write(self, client: Api, bob: Api, many: int, engine: Engine):
        """No job comes twice, and none is skipped that was there throughout."""
        user = user_id(client)
        own = {"Authorization": f"Bearer {client.token}"}
        ids = walk(client, "/jobs?sort=created")
        stay, go = set(ids[::2]), ids[1::2]
        is_over = Event()

        def write() -> int:
            times = 0
            for job_id in itertools.chain(go, itertools.repeat(None)):
                if is_over.is_set():
                    break
                with engine.begin() as connection:
                    connection.execute(
                        text(
                            "INSERT INTO jobs (user_id, company_name, job_title)"
                            " VALUES (:user, 'new', 'x')"
                        ),
                        {"user": user},
                    )
                    connection.execute(
                        text(
                            "UPDATE jobs SET location = :word, last_activity_at = now(),"
                            " company_name = company_name || '.'"
                            " WHERE user_id = :user AND id % 7 = 1 AND length(company_name) < 100"
                        ),
                        {"user": user, "word": str(times)},
                    )
                    connection.execute(
                        text("DELETE FROM jobs WHERE user_id = :user AND id = :id"),
                        {"user": user, "id": job_id},
                    )
                times += 1
            return times

        with ThreadPoolExecutor(1) as threads:
            writer = threads.submit(write)
            try:
                for limit in (1, 2, 3, 5, 7):
                    seen: list[int] = []
                    there: str | None = f"/jobs?sort=created&limit={limit}"
                    while there is not None:
                        answer = client.app.get(there, headers=own)
                        seen += [job["id"] for job in answer.json]
                        there = next_of(answer)
                        if len(seen) > 500:
                            break
                    assert len(seen) == len(set(seen)), limit
                    assert there is not None or set(seen) >= stay, limit
            finally:
                is_over.set()
            assert writer.result() > 0


class TestOtherLists:
    @pytest.fixture
    def job(self, client: Api, engine: Engine) -> str:
        """A job with many of everything, of a few moments."""
        job_id = client.post("/jobs", {"company_name": "Acme", "job_title": "x"}).json["id"]
        moment = "timestamptz '2026-01-01 00:00:00.5+00' + n / 4 * interval '1 microsecond'"
        ids = {"user": user_id(client), "job": job_id}
        with engine.begin() as connection:
            for statement in (
                "INSERT INTO notes (user_id, application_id, body, created_at)"
                " SELECT :user, :job, 'x', MOMENT FROM generate_series(1, 30) AS n",
                "INSERT INTO interviews (user_id, application_id, scheduled_at)"
                " SELECT :user, :job, MOMENT FROM generate_series(1, 30) AS n",
                "INSERT INTO documents (user_id, application_id, doc_type, original_filename,"
                " size_bytes, upload_key, object_key, upload_expires_at, created_at)"
                " SELECT :user, :job, 'cover_letter', 'x', 1, 'a' || n, 'b' || n, now(),"
                " MOMENT FROM generate_series(1, 30) AS n",
                "INSERT INTO saved_views (user_id, name, data, updated_at)"
                " SELECT :user, 'v' || n, '{}', MOMENT FROM generate_series(1, 30) AS n",
                "INSERT INTO activity (user_id, application_id, type, message, created_at)"
                " SELECT :user, :job, 'note_added', 'x',"
                " MOMENT FROM generate_series(1, 250) AS n",
                # The far ends of what a moment can be.
                "INSERT INTO interviews (user_id, application_id, scheduled_at) VALUES"
                " (:user, :job, '0001-01-01 00:00:00+00'), (:user, :job, '9999-12-31 23:59:59+00'),"
                " (:user, :job, '0001-01-01 00:00:00+00'), (:user, :job, '9999-12-31 23:59:59+00')",
            ):
                connection.execute(text(statement.replace("MOMENT", moment)), ids)
        return f"/jobs/{job_id}"

    @pytest.mark.parametrize(
        ("path", "count"),
        [
            ("{job}/notes", 30),
            ("{job}/interviews", 34),
            ("{job}/documents", 30),
            ("/saved-views", 30),
            ("{job}/activity", 345),
        ],
    )
    def test_give_each_row_once(self, client: Api, job: str, path: str, count: int):
        path = path.format(job=job)
        limit = 40 if path.endswith("activity") else 7
        seen = walk(client, f"{path}?limit={limit}")
        assert len(seen) == len(set(seen)) == count
        first, *others = pages(client, f"{path}?limit=1000")
        assert [row["id"] for page in (first, *others) for row in page] == seen
        assert len(first) == min(count, 200 if path.endswith("activity") else 1000)

    def test_of_the_details_go_on_in_the_list_of_activity(self, client: Api, job: str):
        details = client.get(f"{job}/details?activity_limit=10").json["activity"]
        rest = walk(client, with_cursor(f"{job}/activity?limit=100", details["next_cursor"]))
        seen = [entry["id"] for entry in details["items"]] + rest
        assert seen == walk(client, f"{job}/activity")
        other = client.post("/jobs", {"company_name": "x", "job_title": "y"}).json["id"]
        for path in (f"/jobs/{other}/activity", f"{job}/notes", "/jobs"):
            refused(client, with_cursor(path, details["next_cursor"]), "cursor")
        assert client.get(f"/jobs/{other}/details").json["activity"]["next_cursor"] is None

    def test_have_cursors_of_their_own(self, client: Api, bob: Api, job: str):
        paths = [f"{job}/{name}" for name in ("notes", "documents", "interviews", "activity")]
        cursors = {
            path: cursor_from(client, f"{path}?limit=3") for path in (*paths, "/saved-views")
        }
        for path, (of, cursor) in itertools.product(cursors, cursors.items()):
            if path == of:
                client.get(with_cursor(path, cursor))
            else:
                refused(client, with_cursor(path, cursor), "cursor")
        refused(bob, with_cursor("/saved-views", cursors["/saved-views"]), "cursor")
        bob.refused(404, "GET", with_cursor(paths[0], cursors[paths[0]]))


class TestCursors:
    def test_of_another_list_are_refused(self, client: Api, bob: Api, many: int):
        path = "/jobs?sort=created&status=saved&status=offer"
        cursor = cursor_from(client, f"{path}&limit=3")
        client.get(with_cursor(f"{path}&limit=5", cursor))
        client.get(with_cursor(f"{path}&unknown=1", cursor))
        for other in (
            "/jobs",
            "/jobs?sort=created",
            "/jobs?sort=updated&status=saved&status=offer",
            "/jobs?sort=created&status=saved",
            "/jobs?sort=created&status=saved&status=applied",
            "/jobs?sort=created&status=saved&status=offer&q=a",
            "/jobs?sort=created&status=saved&status=offer&tag=t1",
            "/saved-views",
        ):
            refused(client, with_cursor(other, cursor), "cursor")
        bob.get("/users/me")
        refused(bob, with_cursor(path, cursor), "cursor")

    def test_that_are_made_up_are_refused(self, client: Api, many: int):
        cursor = cursor_from(client, "/jobs?limit=3")
        sealed = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        text_ = sealed[SIGNATURE_BYTES:]
        made_up = [
            "x",
            "xx",
            "garbage",
            "=",
            "====",
            ".",
            "a b",
            "\u00fc",
            "\U0001f600",
            "\ud7ff",
            "%",
            "%00",
            "x" * 2000,
            "x" * 2001,
            "x" * 5000,
            *(cursor[:length] for length in range(1, len(cursor))),
            cursor + "A",
            cursor + cursor,
            cursor[::-1],
            cursor.swapcase(),
            base64.urlsafe_b64encode(text_).decode(),
            base64.urlsafe_b64encode(bytes(SIGNATURE_BYTES) + text_).decode(),
            base64.urlsafe_b64encode(bytes(SIGNATURE_BYTES)).decode(),
            base64.urlsafe_b64encode(b"[" * 900).decode(),
            json.dumps(["2026-01-01T00:00:00Z", 1]),
        ]
        for place in range(len(sealed)):
            tampered = bytearray(sealed)
            tampered[place] ^= 1 << place % 8
            made_up.append(base64.urlsafe_b64encode(bytes(tampered)).rstrip(b"=").decode())
        own = {"Authorization": f"Bearer {client.token}"}
        for wrong in made_up:
            there = with_cursor("/jobs?limit=3", wrong)
            answer = client.app.get(there, headers=own, status="*")
            assert answer.status_code == 422, wrong
            (error,) = answer.json["details"]["errors"]
            assert error["loc"] == ["query", "cursor"]
            assert wrong[:8] not in error["msg"] or len(wrong) < 4

    def test_that_are_blank_are_none(self, client: Api, many: int):
        for blank in ("", "%20"):
            assert len(client.get(f"/jobs?cursor={blank}").json) == many

    def test_that_are_not_utf8(self, client: Api, many: int):
        client.refused(400, "GET", "/jobs?cursor=%ff%fe")

    values = st.lists(st.integers(-(2**63), 2**63 - 1) | st.text(st.characters(codec="utf-8")))
    scopes = st.text(st.characters(codec="utf-8"))

    @given(values, scopes, scopes)
    def test_are_opened_where_they_were_sealed(
        self, values: list[Any], scope: str, other: str
    ) -> None:
        cursors = Cursors("secret")
        cursor = cursors.seal(values, scope)
        assert re.fullmatch(r"[A-Za-z0-9_-]+", cursor)
        assert cursors.open(cursor, scope) == values
        if other != scope:
            with pytest.raises(ValueError, match="not signed for this"):
                cursors.open(cursor, other)
        with pytest.raises(ValueError, match="not signed for this"):
            Cursors("another secret").open(cursor, scope)

    @given(values, scopes, st.data())
    def test_are_not_opened_when_a_byte_is_another(
        self, values: list[Any], scope: str, data: st.DataObject
    ) -> None:
        cursors = Cursors("secret")
        cursor = cursors.seal(values, scope)
        sealed = bytearray(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        place = data.draw(st.integers(0, len(sealed) - 1))
        sealed[place] ^= data.draw(st.integers(1, 255))
        tampered = base64.urlsafe_b64encode(bytes(sealed)).rstrip(b"=").decode()
        with pytest.raises(ValueError, match="not signed for this"):
            cursors.open(tampered, scope)

    @given(st.text() | st.binary().map(lambda some: base64.urlsafe_b64encode(some).decode()))
    def test_that_nobody_sealed_raise_nothing_else(self, garbage: str) -> None:
        with pytest.raises(ValueError):  # noqa: PT011 (whichever: it is caught as that)
            Cursors("secret").open(garbage, "scope")

    def test_hold_nothing_of_the_scope_in_another_place(self) -> None:
        """What of a message is scope, and what is text, cannot be shifted."""
        cursors = Cursors("secret")
        sealed = base64.urlsafe_b64decode(cursors.seal([1], "7 /jobs") + "==")
        shifted = base64.urlsafe_b64encode(sealed[:SIGNATURE_BYTES] + b"s[1]").decode()
        with pytest.raises(ValueError, match="not signed for this"):
            cursors.open(shifted, "7 /job")
