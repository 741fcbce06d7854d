"""The triggers of users.revision: one increment for each transaction, whatever its statements."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

from pyramid.scripting import prepare
from sqlalchemy import Engine, text

from jobtracker import pshell
from jobtracker.db.connections import SupportsExecute
from jobtracker.sweep import sweep
from jobtracker.users.queries import increment_revision
from tests.common.api import Api
from tests.common.conditional import RESUME, UserData, revision_of, revisions_of, send


class TestRevisionsBySql:
    """Each transaction increments the revision once."""

    def ids(self, client: Api) -> int:
        return client.get("/users/me").json["id"]

    def test_transaction_of_several_statements_increments_once(
        self, client: Api, other_client: Api, user_data: UserData, engine: Engine
    ):
        hers, his = revisions_of(engine, client, other_client)
        known = send(client, user_data.job).headers["ETag"]
        given = {"user": self.ids(client), "job": user_data.job_id}
        with engine.begin() as connection:
            for statement in (
                "UPDATE jobs SET location = 'Linz' WHERE user_id = :user",
                "UPDATE users SET theme = 'light' WHERE id = :user",
                "INSERT INTO notes (user_id, application_id, body) VALUES (:user, :job, 'x')",
                "UPDATE interviews SET notes = 'y' WHERE user_id = :user",
                "UPDATE saved_views SET name = 'z' WHERE user_id = :user",
                "DELETE FROM documents WHERE user_id = :user AND trashed_at IS NULL",
                "UPDATE job_steps SET at = at - interval '1 day' WHERE user_id = :user",
                "UPDATE users SET theme = 'dark', name = 'A.' WHERE id = :user",
            ):
                assert connection.execute(text(statement), given).rowcount == 1
            # Not yet committed.
            assert send(client, user_data.job, If_None_Match=known).status_code == 304
        assert send(client, user_data.job, If_None_Match=known).status_code == 200
        assert revisions_of(engine, client, other_client) == (hers + 1, his)

    def test_statement_on_each_table_increments_once(
        self, client: Api, other_client: Api, user_data: UserData, engine: Engine
    ):
        UserData(other_client, "other")
        before = revisions_of(engine, client, other_client)
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
            after = revisions_of(engine, client, other_client)
            assert after == (before[0] + number, before[1] + number), statement

    def test_transaction_with_rolled_back_savepoints_increments_once(
        self, client: Api, user_data: UserData, engine: Engine
    ):
        before = revision_of(engine, client)
        with engine.begin() as connection:
            undone = connection.begin_nested()
            connection.execute(text("UPDATE users SET theme = 'light'"))
            connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
            connection.execute(text("DELETE FROM jobs"))
            undone.rollback()
        assert revision_of(engine, client) == before
        with engine.begin() as connection:
            undone = connection.begin_nested()
            connection.execute(text("UPDATE users SET theme = 'light'"))
            undone.rollback()
            connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
            connection.execute(text("UPDATE jobs SET location = 'a'"))
            with connection.begin_nested():
                connection.execute(text("UPDATE jobs SET location = 'b'"))
                connection.execute(text("UPDATE users SET theme = 'light'"))
        assert revision_of(engine, client) == before + 1

    def test_each_increment_sets_another_nonce(
        self, client: Api, user_data: UserData, engine: Engine
    ):
        """Also of several in one transaction, of which a savepoint is rolled back."""
        query = text(
            "SELECT revision_nonce, version_nonce FROM users JOIN jobs ON user_id = users.id"
        )
        update = text("UPDATE jobs SET location = coalesce(location, '') || 'x'")
        found: list[tuple[int, ...]] = []
        for _ in range(3):
            with engine.begin() as connection:
                found.append(tuple(connection.execute(query).one()))
                connection.execute(update)
                found.append(tuple(connection.execute(query).one()))
                with connection.begin_nested() as undone:
                    connection.execute(update)
                    undone.rollback()
                connection.execute(update)
        assert len({revision for revision, _ in found}) == 3
        assert len({version for _, version in found}) == 6

    def test_increments_without_a_change_set_another_nonce(
        self, client: Api, user_data: UserData, engine: Engine
    ):
        """Of what has changed at Cognito."""
        query = text("SELECT revision, revision_nonce FROM users")
        with engine.begin() as connection:
            old = connection.execute(query).one()
            increment_revision(
                cast(SupportsExecute, connection.connection.dbapi_connection), self.ids(client)
            )
            new = connection.execute(query).one()
        assert new.revision == old.revision + 1
        assert new.revision_nonce != old.revision_nonce

    def test_change_of_owner_increments_both_users(
        self, client: Api, other_client: Api, engine: Engine
    ):
        client.post("/saved-views", {"name": "Mine", "data": {}})
        assert other_client.get("/saved-views").json == []
        assert len(client.get("/saved-views").json) == 1
        before = revisions_of(engine, client, other_client)
        with engine.begin() as connection:
            connection.execute(
                text("UPDATE saved_views SET user_id = :user"), {"user": self.ids(other_client)}
            )
        assert len(other_client.get("/saved-views").json) == 1
        assert client.get("/saved-views").json == []
        assert revisions_of(engine, client, other_client) == (before[0] + 1, before[1] + 1)

    def test_concurrent_transactions_increment_once_each(
        self, client: Api, user_data: UserData, engine: Engine
    ):
        before = revision_of(engine, client)
        user_id = self.ids(client)

        def write(number: int) -> None:
            for turn in range(5):
                if number % 2:
                    client.patch(user_data.job, {"location": f"{number} {turn}"})
                else:
                    with engine.begin() as connection:
                        connection.execute(
                            text(
                                "INSERT INTO notes (user_id, application_id, body)"
                                " VALUES (:user, :job, 'x')"
                            ),
                            {"user": user_id, "job": user_data.job_id},
                        )

        with ThreadPoolExecutor(6) as threads:
            list(threads.map(write, range(6)))
        assert revision_of(engine, client) == before + 30


def test_sweep_increments_once_for_each_user(
    client: Api, other_client: Api, user_data: UserData, engine: Engine, committing_app: Any
):
    client.post(f"{user_data.job}/documents/presign-upload", RESUME)
    UserData(other_client, "other")
    path = f"{user_data.job}/documents"
    assert len(client.get(path).json) == 2
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE documents SET upload_expires_at = now() - interval '1 day'")
        )
        connection.execute(text("DELETE FROM tasks"))
    before = revisions_of(engine, client, other_client)
    known = send(client, path).headers["ETag"]
    assert send(client, path, If_None_Match=known).status_code == 304
    assert sweep(committing_app.registry) is None
    assert send(client, path, If_None_Match=known).json == []
    assert revisions_of(engine, client, other_client) == (before[0] + 1, before[1] + 1)
    assert sweep(committing_app.registry) is None
    assert revisions_of(engine, client, other_client) == (before[0] + 1, before[1] + 1)


def test_commit_in_pshell_increments_once(
    client: Api, other_client: Api, user_data: UserData, engine: Engine, committing_app: Any
):
    before = revision_of(engine, client)
    his = revision_of(engine, other_client)
    env = prepare(registry=committing_app.registry)
    manager = pshell.setup(env)
    next(manager)
    try:
        env["act_as"]("ada@example.com")
        job = env["root"]["jobs"][user_data.job_id]
        job.update(location="Linz")
        job["notes"].add(body="Called back.")
        env["root"]["users"]["me"]["settings"].update(theme="light")
        env["commit"]()
        assert revision_of(engine, client) == before + 1
        job.update(location="Graz")
        env["rollback"]()
        assert revision_of(engine, client) == before + 1
        job["history"].record("offer")
        env["commit"]()
        assert revision_of(engine, client) == before + 2
    finally:
        next(manager, None)
        env["closer"]()
    assert revisions_of(engine, client, other_client) == (before + 2, his)
