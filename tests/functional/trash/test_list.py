"""GET /trash: what was deleted, newest first, in pages over all kinds."""

import datetime
from typing import Any

import pytest
from sqlalchemy import Connection, text

from jobtracker.trash import queries
from tests.common.api import Api
from tests.common.pagination import assert_field_refused, cursor_from, pages, user_id, with_cursor
from tests.common.trash import (
    TITLES,
    TRASH_KINDS,
    in_trash,
    listed,
    make,
    make_job,
    trash_one_of_each,
)


@pytest.fixture
def job(ada: Api) -> str:
    return make_job(ada)


def test_each_kind_is_listed_newest_first_with_what_it_was(ada: Api, job: str):
    paths = trash_one_of_each(ada, job)
    rows = ada.get("/trash").json
    assert [row["kind"] for row in rows] == [*reversed(TRASH_KINDS)]
    job_id = int(job.rpartition("/")[2])
    for row in rows:
        assert row["id"] == int(paths[row["kind"]].rpartition("/")[2])
        assert row["job_id"] == (job_id if paths[row["kind"]].count("/") == 4 else None)
        assert row["title"] == TITLES[row["kind"]]
        assert row["reason"] == "user"
        times = (datetime.datetime.fromisoformat(row[name]) for name in ("purge_at", "trashed_at"))
        assert datetime.timedelta.__eq__(next(times) - next(times), datetime.timedelta(days=30))
        assert row["trashed_at"].endswith("Z")


def test_empty_trash_is_an_empty_list(ada: Api, job: str):
    assert ada.get("/trash").json == []


def test_kind_selects_some_kinds_and_blanks_are_ignored(ada: Api, job: str):
    trash_one_of_each(ada, job)
    for query, kinds in {
        "kind=note": ["note"],
        "kind=NOTE": ["note"],
        "kind=note&kind=job": ["note", "job"],
        "kind=&limit=&cursor=": [*reversed(TRASH_KINDS)],
    }.items():
        assert [kind for kind, _id in listed(ada, f"?{query}")] == kinds


def test_purge_at_follows_the_setting(
    app: Any, ada: Api, job: str, monkeypatch: pytest.MonkeyPatch
):
    trash_one_of_each(ada, job)
    monkeypatch.setitem(app.registry.settings, "trash.days", 7)
    row = ada.get("/trash?limit=1").json[0]
    trashed, purged = (
        datetime.datetime.fromisoformat(row[name]) for name in ("trashed_at", "purge_at")
    )
    assert (purged - trashed).days == 7


def test_what_belongs_to_a_job_is_listed_only_if_it_was_deleted_before(ada: Api, job: str):
    kept, deleted = make(ada, job, "note"), make(ada, job, "note")
    ada.delete(deleted)
    ada.delete(job)
    assert listed(ada) == [("job", int(job[6:])), ("note", int(deleted.rpartition("/")[2]))]
    assert kept != deleted


@pytest.mark.usefixtures("job")
def test_pages_have_each_row_once_also_where_times_and_ids_are_equal(
    ada: Api, connection: Connection
):
    """Rows of several kinds with the same time and the same ids."""
    user = {"user": user_id(ada)}
    for table, columns, values in (
        ("jobs", "company_name, job_title", "'Acme', 'x'"),
        ("saved_views", "name, data", "'v' || n, '{}'"),
    ):
        statement = f"""
            INSERT INTO {table} (user_id, id, {columns}, trashed_at, trash_reason)
            OVERRIDING SYSTEM VALUE
            SELECT :user, 1000000 + n, {values}, moment, 'user'
            FROM generate_series(1, 12) AS n,
                 LATERAL (SELECT timestamptz '2026-01-01 00:00:00.000001+00'
                          + n / 4 * interval '1 microsecond' AS moment) AS moments
        """  # noqa: S608
        connection.execute(text(statement), user)
    whole = listed(ada)
    assert len(whole) == 24
    assert {whole.index(("job", 1000004)) - whole.index(("saved_view", 1000004))} == {1}
    for limit in (1, 5, 7, 24):
        walked = [
            (row["kind"], row["id"]) for page in pages(ada, f"/trash?limit={limit}") for row in page
        ]
        assert walked == whole
    only = [
        (row["kind"], row["id"]) for page in pages(ada, "/trash?kind=job&limit=5") for row in page
    ]
    assert only == [each for each in whole if each[0] == "job"]


def test_invalid_query_answers_422(ada: Api, job: str):
    trash_one_of_each(ada, job)
    for query, field in {
        "kind=contact": "kind",
        "kind=note&kind=x": "kind",
        "limit=0": "limit",
        "limit=1001": "limit",
        "cursor=x": "cursor",
    }.items():
        assert_field_refused(ada, f"/trash?{query}", field)


def test_cursor_of_another_list_or_of_other_kinds_answers_422(ada: Api, bob: Api, job: str):
    trash_one_of_each(ada, job)
    make_job(ada)
    of_all = cursor_from(ada, "/trash?limit=1")
    of_jobs = cursor_from(ada, "/jobs?limit=1")
    for path in (
        with_cursor("/trash", of_jobs),
        with_cursor("/trash?kind=job", of_all),
        with_cursor("/jobs", of_all),
    ):
        assert_field_refused(ada, path, "cursor")
    assert_field_refused(bob, with_cursor("/trash", of_all), "cursor")


def test_unchanged_trash_answers_304_and_a_changed_one_another_etag(ada: Api, job: str):
    trash_one_of_each(ada, job)
    etag = ada.get("/trash").headers["ETag"]
    ada.call("GET", "/trash", headers={"If-None-Match": etag}, status=304)
    note = make(ada, job, "note")
    ada.delete(note)
    answer = ada.get("/trash", headers={"If-None-Match": etag}, status=200)
    ada.post(f"{in_trash('note', note)}/restore")
    ada.get("/trash", headers={"If-None-Match": answer.headers["ETag"]}, status=200)


def test_trash_of_another_user_is_not_listed(ada: Api, bob: Api, job: str):
    trash_one_of_each(ada, job)
    assert listed(bob) == []


def test_usage_counts_what_is_listed_and_the_bytes_of_its_documents(
    ada: Api, bob: Api, job: str, connection: Connection
):
    def usage(client: Api) -> Any:
        found = client.get("/users/me/usage").json
        assert found["trash"]["count"] == len(listed(client))
        return found

    trash_one_of_each(ada, job)
    assert usage(ada)["trash"] == {"count": len(TRASH_KINDS), "bytes": 1}
    other = make_job(ada)
    make(ada, other, "document")
    ada.delete(make(ada, other, "document"))
    make(ada, job, "document")
    ada.delete(other)
    found = usage(ada)
    assert found["trash"] == {"count": len(TRASH_KINDS) + 2, "bytes": 3}
    assert found["documents"]["used"] == 1
    assert found["document_bytes"]["used"] == 4
    ada.delete(in_trash("job", other))
    assert usage(ada)["trash"]["count"] == len(
        TRASH_KINDS
    )  # its document in the trash is not listed
    assert usage(bob)["trash"] == {"count": 0, "bytes": 0}


class TestPlan:
    """Of 100,000 things in the trash, a page reads as many rows of each index as it has."""

    LIMIT = 50

    @pytest.fixture
    def nodes(self, ada: Api, bob: Api, connection: Connection, job: str) -> list[dict[str, Any]]:
        user, other = user_id(ada), user_id(bob)
        driver: Any = connection.connection.dbapi_connection
        driver.execute("SET LOCAL session_replication_role = replica")
        for table, columns, values in (
            ("jobs", "company_name, job_title", "'Acme', 'x'"),
            ("notes", "application_id, body", f"{job[6:]}, 'x'"),
            ("interviews", "application_id, scheduled_at", f"{job[6:]}, now()"),
            ("saved_views", "name, data", "'v' || n, '{}'"),
            (
                "documents",
                "application_id, doc_type, original_filename, size_bytes, upload_key, object_key,"
                " upload_expires_at",
                f"{job[6:]}, 'resume', 'x', 1, 'a' || n, 'b' || n, now()",
            ),
        ):
            driver.execute(
                f"INSERT INTO {table} (user_id, {columns}, trashed_at, trash_reason)"  # noqa: S608
                f" SELECT user_id, {values}, now() - n * interval '1 second', 'user'"
                f" FROM generate_series(1, 20000) AS n, unnest(ARRAY[{user}, {other}]) AS user_id"
            )
            driver.execute(f"ANALYZE {table}")
        found: list[dict[str, Any]] = []

        class Explained:
            def execute(self, query: Any, params: Any = None, *, binary: bool = False) -> Any:
                explain = f"EXPLAIN (ANALYZE, FORMAT JSON) {query}"
                collect(driver.execute(explain, params).fetchone()[0][0]["Plan"])
                return driver.execute("SELECT WHERE false", binary=binary)

        def collect(node: dict[str, Any]) -> None:
            found.append(node)
            for child in node.get("Plans", ()):
                collect(child)

        now = datetime.datetime.now(datetime.UTC)
        for after in (None, [now - datetime.timedelta(seconds=5000), 10**9, "note"]):
            queries.page(
                Explained(),
                user,
                kinds=(),
                period=datetime.timedelta(days=30),
                limit=self.LIMIT,
                after=after,
            )
        return found

    def test_page_reads_only_its_rows_of_each_index(self, nodes: list[dict[str, Any]]):
        scans = [node for node in nodes if "Scan" in node["Node Type"] and "Index Name" in node]
        of_trash = [node for node in scans if node["Index Name"].endswith("_trash")]
        assert len(of_trash) == 2 * len(TRASH_KINDS), scans
        for node in of_trash:
            assert node["Actual Rows"] <= self.LIMIT + 1
            assert node.get("Rows Removed by Filter", 0) <= 1
        # The planner can read all tasks, which are few.
        scanned = {node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"}
        assert scanned <= {"tasks"}
