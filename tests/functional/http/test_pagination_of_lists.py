"""The other lists in pages, and the cursors of each."""

import itertools

import pytest
from sqlalchemy import Engine, text

from tests.common.api import Api
from tests.common.pagination import (
    assert_field_refused,
    cursor_from,
    pages,
    user_id,
    walk,
    with_cursor,
)


class TestOtherLists:
    @pytest.fixture
    def job(self, client: Api, engine: Engine) -> str:
        """A job with many children of each kind, created at few different times."""
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
                # The first and the last timestamp.
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
    def test_pages_of_each_list_contain_each_row_once(
        self, client: Api, job: str, path: str, count: int
    ):
        path = path.format(job=job)
        limit = 40 if path.endswith("activity") else 7
        seen = walk(client, f"{path}?limit={limit}")
        assert len(seen) == len(set(seen)) == count
        first, *others = pages(client, f"{path}?limit=1000")
        assert [row["id"] for page in (first, *others) for row in page] == seen
        assert len(first) == min(count, 200 if path.endswith("activity") else 1000)

    def test_cursor_of_details_continues_in_activity(self, client: Api, job: str):
        details = client.get(f"{job}/details?activity_limit=10").json["activity"]
        rest = walk(client, with_cursor(f"{job}/activity?limit=100", details["next_cursor"]))
        seen = [entry["id"] for entry in details["items"]] + rest
        assert seen == walk(client, f"{job}/activity")
        other = client.post("/jobs", {"company_name": "x", "job_title": "y"}).json["id"]
        for path in (f"/jobs/{other}/activity", f"{job}/notes", "/jobs"):
            assert_field_refused(client, with_cursor(path, details["next_cursor"]), "cursor")
        assert client.get(f"/jobs/{other}/details").json["activity"]["next_cursor"] is None

    def test_cursor_of_one_list_is_refused_by_others(
        self, client: Api, other_client: Api, job: str
    ):
        paths = [f"{job}/{name}" for name in ("notes", "documents", "interviews", "activity")]
        cursors = {
            path: cursor_from(client, f"{path}?limit=3") for path in (*paths, "/saved-views")
        }
        for path, (of, cursor) in itertools.product(cursors, cursors.items()):
            if path == of:
                client.get(with_cursor(path, cursor))
            else:
                assert_field_refused(client, with_cursor(path, cursor), "cursor")
        assert_field_refused(
            other_client, with_cursor("/saved-views", cursors["/saved-views"]), "cursor"
        )
        other_client.refused(404, "GET", with_cursor(paths[0], cursors[paths[0]]))
