"""The list of jobs in pages: limits, links, and pages that contain each row once."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import pytest
from sqlalchemy import Engine, text

from jobtracker.jobs.models import Status
from tests.common.api import Api
from tests.common.pagination import assert_field_refused, next_path, user_id, walk
from tests.common.rows import insert_jobs, insert_rows

SORTS = ("activity", "created", "updated", "company", "status")


class TestLimits:
    def test_invalid_limit_answers_422(self, client: Api):
        for limit in ("0", "1001", "-1", "x", "1.5", "1e2", "+5", "\u0661", "9" * 20, "9" * 1000):
            for path in ("/jobs", "/saved-views"):
                assert_field_refused(client, f"{path}?limit={quote(limit)}", "limit")

    def test_limit_of_the_lists_of_a_job_is_validated(self, client: Api):
        job = client.post("/jobs", {"company_name": "x", "job_title": "y"}).json["id"]
        for name in ("notes", "documents", "interviews"):
            for limit in ("0", "1001", "x"):
                assert_field_refused(client, f"/jobs/{job}/{name}?limit={limit}", "limit")
            assert client.get(f"/jobs/{job}/{name}?limit=1000").json == []
        assert_field_refused(client, f"/jobs/{job}/activity?limit=0", "limit")
        assert len(client.get(f"/jobs/{job}/activity?limit=99999").json) == 1

    def test_page_has_as_many_rows_as_the_limit(self, client: Api, many: int):
        for limit in (1, 2, many - 1):
            answer = client.get(f"/jobs?limit={limit}")
            assert len(answer.json) == limit
            assert next_path(answer)
        for path in (f"/jobs?limit={many}", "/jobs?limit=1000", "/jobs?limit=", "/jobs"):
            answer = client.get(path)
            assert len(answer.json) == many
            assert "Link" not in answer.headers

    def test_list_of_jobs_without_a_limit_has_ten_thousand(self, client: Api, engine: Engine):
        insert_jobs(engine, user_id(client), 10_001)
        own = {"Authorization": f"Bearer {client.token}"}
        first = client.app.get("/jobs", headers=own)
        assert len(first.json) == 10_000
        there = next_path(first)
        assert there is not None
        second = client.app.get(there, headers=own)
        assert len(second.json) == 1
        assert next_path(second) is None
        assert len({job["id"] for job in (*first.json, *second.json)}) == 10_001

    def test_list_without_a_limit_is_whole_in_each_order_and_with_each_filter(
        self, client: Api, engine: Engine
    ):
        insert_jobs(engine, user_id(client), 1500, tags=["remote"], location="Graz")
        own = {"Authorization": f"Bearer {client.token}"}
        filters = ("", "q=graz", "status=applied", "tag=remote", "tag_q=mot", "limit=", "limit=&q=")
        sorts = ("sort=company", "sort=created", "sort=updated", "sort=status", "sort=activity")
        for query in (*filters, *sorts, "q=g&status=applied&tag=remote&tag_q=r&sort=status"):
            whole = client.app.get(f"/jobs?{query}", headers=own)
            assert len(whole.json) == 1500, query
            assert next_path(whole) is None
            named = client.app.get(f"/jobs?{query.replace('limit=', '')}&limit=1000", headers=own)
            assert named.json == whole.json[:1000]
            assert next_path(named) is not None
        for path in ("/jobs/board", "/jobs/board?limit="):
            whole = client.app.get(path, headers=own)
            assert len(whole.json["jobs"]) == 1500
            assert next_path(whole) is None

    def test_lists_of_a_job_without_a_limit_are_whole(self, client: Api, engine: Engine, job: str):
        owner = {"user_id": user_id(client), "application_id": int(job.rpartition("/")[2])}
        at = "=now()"
        insert_rows(engine, "notes", 1500, **owner, body="x")
        insert_rows(engine, "interviews", 1500, **owner, scheduled_at=at)
        insert_rows(engine, "job_steps", 1500, **owner, status="applied", at=at)
        own = {"Authorization": f"Bearer {client.token}"}
        for name in ("notes", "interviews", "history"):
            whole = client.app.get(f"{job}/{name}", headers=own)
            assert len(whole.json) >= 1500, name
            assert next_path(whole) is None
            named = client.app.get(f"{job}/{name}?limit=1000", headers=own)
            assert named.json == whole.json[:1000]
            assert next_path(named) is not None


class TestLinks:
    def test_next_link_keeps_all_other_parameters(self, client: Api, many: int):
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
        there = next_path(client.get(f"/jobs?{urlencode(given)}"))
        assert there is not None
        query = parse_qsl(urlsplit(there).query, keep_blank_values=True)
        assert query[:-1] == given
        assert query[-1][0] == "cursor"
        after = next_path(client.get(there))
        assert after is not None
        query = parse_qsl(urlsplit(after).query, keep_blank_values=True)
        assert [name for name, _value in query].count("cursor") == 1

    def test_next_link_is_the_same_with_a_trailing_slash(self, client: Api, many: int):
        slash, none = client.get("/jobs/?limit=2"), client.get("/jobs?limit=2")
        assert next_path(slash) == next_path(none)

    def test_cached_response_and_head_have_the_next_link(self, client: Api, many: int):
        """HEAD, and a response from the cache, have it as well."""
        link = client.get("/jobs?limit=2").headers["Link"]
        assert client.get("/jobs?limit=2").headers["Link"] == link
        assert client.call("HEAD", "/jobs?limit=2").headers["Link"] == link


class TestWalks:
    def test_pages_contain_each_row_once_in_each_order(self, client: Api, many: int):
        for sort in SORTS:
            whole = [job["id"] for job in client.get(f"/jobs?sort={sort}").json]
            assert len(set(whole)) == many
            for limit in (1, 7):
                assert walk(client, f"/jobs?sort={sort}&limit={limit}") == whole

    @pytest.mark.parametrize(
        "filters",
        ["q=acme", "status=saved&status=offer", "tag=t1", "tag_q=T", "q=r&tag=t2&status=ghosted"],
    )
    def test_pages_with_filters_contain_each_row_once(self, client: Api, many: int, filters: str):
        for sort in SORTS:
            path = f"/jobs?sort={sort}&{filters}"
            whole = [job["id"] for job in client.get(path).json]
            assert 0 < len(whole) <= many
            assert walk(client, f"{path}&limit=4") == whole

    def test_list_is_in_the_requested_order(self, client: Api, many: int):
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

    def test_pages_continue_after_a_deleted_row(self, client: Api, many: int):
        whole = walk(client, "/jobs?sort=created")
        first = client.get("/jobs?sort=created&limit=10")
        for job_id in whole[5:15]:
            client.delete(f"/jobs/{job_id}")
        there = next_path(first)
        assert there is not None
        assert walk(client, there) == whole[15:]

    def test_pages_continue_after_names_with_special_characters(self, client: Api):
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

    def test_pages_continue_after_a_name_of_escaped_characters(self, client: Api):
        for _ in range(2):
            name = "\x01" * 254 + "x"
            client.post("/jobs", {"company_name": name, "job_title": "x"}, status=201)
        assert len(walk(client, "/jobs?sort=company&limit=1")) == 2

    def test_pages_skip_no_row_during_concurrent_writes(
        self, client: Api, other_client: Api, many: int, engine: Engine
    ):
        """No job appears twice, and none that existed throughout is skipped."""
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
                        there = next_path(answer)
                        if len(seen) > 500:
                            break
                    assert len(seen) == len(set(seen)), limit
                    assert there is not None or set(seen) >= stay, limit
            finally:
                is_over.set()
            assert writer.result() > 0
