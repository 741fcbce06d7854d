"""``GET /users/me/audit``: pages, ETags, and that it is the user's own."""

import pytest
from sqlalchemy import Connection, Engine, text

from tests.common.api import Api
from tests.common.audit import PATH, entries
from tests.common.pagination import assert_field_refused, cursor_from, pages, user_id, walk
from tests.common.user_pool import PASSWORD

LOGIN = "/auth/cognito/login"
INSERT = """
    INSERT INTO audit (user_id, kind, at, client_hash)
    SELECT :user, 'sign_in', '2026-01-01 00:00:00.5+00'::timestamptz
        + n / 4 * interval '1 microsecond', 'x'
    FROM generate_series(1, 130) AS n
"""


@pytest.fixture
def filled(client: Api, engine: Engine) -> Api:
    """A client with many entries at few different times."""
    with engine.begin() as connection:
        connection.execute(text(INSERT), {"user": user_id(client)})
    return client


def test_pages_contain_each_entry_once_newest_first(filled: Api):
    first, *others = pages(filled, f"{PATH}?limit=1000")
    assert others == []
    assert len(first) == 130
    order = [(entry["at"], entry["id"]) for entry in first]
    assert order == sorted(order, reverse=True)
    seen = [entry["id"] for entry in first]
    assert walk(filled, f"{PATH}?limit=7") == walk(filled, PATH) == seen
    assert len(entries(filled)) == 50


def test_entries_that_are_added_meanwhile_do_not_move_the_pages(filled: Api, engine: Engine):
    expected = [entry["id"] for entry in filled.get(f"{PATH}?limit=1000").json]
    seen = []
    for page in pages(filled, f"{PATH}?limit=50"):
        seen += [entry["id"] for entry in page]
        with engine.begin() as connection:
            connection.execute(
                text("INSERT INTO audit (user_id, kind, client_hash) VALUES (:user, 'x', '')"),
                {"user": user_id(filled)},
            )
    assert seen == expected


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x"])
def test_limit_out_of_range_is_refused(ada: Api, query: str):
    assert_field_refused(ada, f"{PATH}?{query}", "limit")


def test_cursor_is_of_this_list_and_of_the_user(filled: Api, other_client: Api, engine: Engine):
    with engine.begin() as connection:
        connection.execute(text(INSERT), {"user": user_id(other_client)})
    cursor = cursor_from(filled, f"{PATH}?limit=1")
    assert_field_refused(other_client, f"{PATH}?cursor={cursor}", "cursor")
    assert_field_refused(filled, f"/saved-views?cursor={cursor}", "cursor")


def test_others_see_none_of_the_entries(ada: Api, bob: Api, anonymous: Api):
    bob.get("/users/me")
    ada.get("/users/me")
    anonymous.post(LOGIN, {"email": "ada@example.com", "password": PASSWORD})
    (entry,) = entries(ada)
    assert entries(bob) == []
    anonymous.refused(401, "GET", PATH)
    anonymous.refused(401, "GET", f"{PATH}?cursor=x")
    for client in (ada, bob):
        client.refused(404, "GET", f"{PATH}/{entry['id']}")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_entries_cannot_be_written(ada: Api, method: str):
    ada.refused(405, method, PATH, {})


def test_etag_changes_with_the_entries_and_differs_by_session(ada: Api, anonymous: Api):
    """Though the user's revision does not change."""
    etag = ada.get(PATH).headers["ETag"]
    revision = ada.get("/jobs").headers["ETag"]
    ada.get(PATH, headers={"If-None-Match": etag}, status=304)
    login = {"email": "ada@example.com", "password": PASSWORD}
    tokens = anonymous.post(LOGIN, login).json["tokens"]
    ada.get("/jobs", headers={"If-None-Match": revision}, status=304)
    after = ada.get(PATH, headers={"If-None-Match": etag}, status=200)
    assert len(after.json) == 1
    here = anonymous.signed_in(tokens["access_token"])
    etag = after.headers["ETag"]
    of_session = here.get(PATH, headers={"If-None-Match": etag}, status=200)
    assert [entry["current"] for entry in (*after.json, *of_session.json)] == [False, True]
    wrong = {**login, "password": "Wrong-password-1"}
    for count in (1, 2):  # an entry that counts changes too
        anonymous.refused(401, "POST", LOGIN, wrong)
        after = ada.get(PATH, headers={"If-None-Match": etag}, status=200)
        assert after.json[0]["count"] == count
        etag = after.headers["ETag"]


def test_shown_hashes_are_short_and_equal_for_equal_networks(
    ada: Api, anonymous: Api, connection: Connection
):
    login = {"email": "ada@example.com", "password": PASSWORD}
    for _ in range(2):
        anonymous.post(LOGIN, login)
    first, second = entries(ada)
    assert first["client"] == second["client"]
    assert {len(first[name]) for name in ("client", "session")} == {12}
    stored = connection.execute(text("SELECT client_hash, session_hash FROM audit")).all()
    assert {len(each) for row in stored for each in row} == {16}
