"""A Citus cluster on which the tests run, by the URL of a database of its coordinator.

The tests make databases of their own on all nodes. The application's tables are distributed by
deploy/citus.sql, and statements of requests that touch more than one shard are collected.
"""

import os
import re
import subprocess
import uuid
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from psycopg import sql
from pyramid.threadlocal import get_current_request
from sqlalchemy import Engine, event, make_url

from jobtracker.db.engine import TimeoutConnection
from jobtracker.local.postgres import bin_folder
from jobtracker.users.queries import WITHOUT_USER_ID

URL = os.environ.get("CITUS_URL") or None
WITHOUT_URL = "needs CITUS_URL, the URL of a database of a Citus coordinator"

CITUS_SQL = Path(__file__).parents[2] / "deploy" / "citus.sql"
# Few, so that statements on all shards, which the tests themselves execute, take little time.
SHARDS = 4
# Citus sends this notice by citus.multi_task_query_log_level.
MULTI_SHARD = "multi-task query about to be executed"
ON_ALL_SHARDS = {statement.bind()[0] for statement in WITHOUT_USER_ID}


class Node(NamedTuple):
    host: str
    port: int

    def connect(self, url: str, database: str | None = None) -> psycopg.Connection[Any]:
        address = make_url(url).set(host=self.host, port=self.port)
        if database is not None:
            address = address.set(database=database)
        return psycopg.connect(address.render_as_string(hide_password=False), autocommit=True)


class Citus:
    """:param url: of a database of the coordinator, which knows its workers, as a superuser"""

    def __init__(self, url: str) -> None:
        self.url = url
        with psycopg.connect(url) as connection:
            self.coordinator = Node(connection.info.host, connection.info.port)
            rows = connection.execute("""
                SELECT nodename, nodeport, groupid = 0 FROM pg_dist_node
                WHERE noderole = 'primary' AND isactive
            """).fetchall()
        self.workers = [Node(*address) for *address, is_coordinator in rows if not is_coordinator]
        assert self.workers, "CITUS_URL: the database has no workers in pg_dist_node"
        # As the workers know it.
        known = [Node(*address) for *address, is_coordinator in rows if is_coordinator]
        self.known_coordinator = known[0] if known else self.coordinator
        self._databases: list[str] = []

    def make_database(self, name: str) -> str:
        """Create a database on all nodes, under a name of this run; return its URL."""
        name = f"jobtracker_{name}_{uuid.uuid4().hex[:8]}"
        self._databases.append(name)
        for node in (self.coordinator, *self.workers):
            self._on_node(node, "CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'", name)
            with node.connect(self.url, name) as connection:
                connection.execute("CREATE EXTENSION citus")
        for setting, value in (
            ("citus.multi_task_query_log_level", "notice"),
            ("citus.shard_count", str(SHARDS)),
        ):
            command = f"ALTER DATABASE {{}} SET {setting} = {value}"
            self._on_node(self.coordinator, command, name)
        with self.coordinator.connect(self.url, name) as connection:
            set_host = "SELECT citus_set_coordinator_host(%s, %s)"
            connection.execute(set_host, self.known_coordinator)
            for worker in self.workers:
                connection.execute("SELECT citus_add_node(%s, %s)", worker)
        return make_url(self.url).set(database=name).render_as_string(hide_password=False)

    def drop_databases(self) -> None:
        for node in (self.coordinator, *self.workers):
            for name in self._databases:
                self._on_node(node, "DROP DATABASE {} WITH (FORCE)", name)

    def _on_node(self, node: Node, command: str, name: str) -> None:
        with node.connect(self.url) as connection:
            # Citus would create or drop it on all nodes, or advise to do so.
            connection.execute("SET citus.enable_create_database_propagation = off")
            connection.execute("SET citus.enable_ddl_propagation = off")
            connection.execute(sql.SQL(command).format(sql.Identifier(name)))


def distribute(engine: Engine) -> None:
    """Distribute the tables of a migrated database by deploy/citus.sql."""
    url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    command: list[str | Path] = [
        bin_folder() / "psql",
        "--dbname",
        url,
        "--file",
        CITUS_SQL,
        "--quiet",
    ]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603


def collect_multi_shard_statements() -> list[str]:
    """The statements of requests that touch more than one shard, from now on in this process."""
    found: list[str] = []
    run = TimeoutConnection.run

    def run_and_remember(self: TimeoutConnection, query: Any, *args: Any, **options: Any) -> Any:
        self.__dict__["running"] = query
        try:
            return run(self, query, *args, **options)
        finally:
            self.__dict__["running"] = None

    TimeoutConnection.run = run_and_remember  # type: ignore[method-assign]

    def handle(connection: psycopg.Connection[Any]) -> None:
        def notice(diagnostic: psycopg.errors.Diagnostic) -> None:
            request = get_current_request()
            query = connection.__dict__.get("running")
            is_expected = request is None or query is None or query in ON_ALL_SHARDS
            if not is_expected and diagnostic.message_primary == MULTI_SHARD:
                found.append(f"{request.method} {request.path}: {query}")

        connection.add_notice_handler(notice)

    @event.listens_for(Engine, "connect")
    def connect(driver: psycopg.Connection[Any], _record: Any) -> None:
        handle(driver)

    return found


# SQL of tests: "at = at - :days * interval '1 day'".
EARLIER = re.compile(
    r"\b(at|\w+_(?:at|until)) = \1 - "
    r"(CAST\(\S+ AS interval\)|"
    r"(?:make_)?[^,\s]+(?: '[^']*'| => [^,\s]+)?(?: \* interval '[^']*')?)"
)


@event.listens_for(Engine, "before_cursor_execute", retval=True)
def move_times(
    _connection: Any, _cursor: Any, statement: str, parameters: Any, *_context: Any
) -> tuple[str, Any]:
    """Let Citus distribute UPDATEs of tests that move times: the difference of a ``timestamptz``
    depends on the time zone, so that it is not immutable."""
    if URL is not None and statement.lstrip().startswith("UPDATE"):
        earlier = r"\1 = (\1 AT TIME ZONE 'UTC' - \2) AT TIME ZONE 'UTC'"
        statement = EARLIER.sub(earlier, statement)
    return statement, parameters


_ONE_TRANSACTION = "its connection has savepoints or counts statements; on Citus each commits"
_OWN_SQL = "its SQL cannot be distributed"
_PLANS = "plans are those of the workers"
_MANY_ROWS = "its rows are inserted without triggers, which Citus cannot"
_SERVER = "it needs a PostgreSQL server of its own"
_LOCKS = "it reads pg_locks, which are those of a worker"
_QUOTA = "the quota is a parameter of the workers' databases"
_SAME_TIME = "the order of steps of the same time is that of ids, which nodes give independently"
#: The reason for which a test does not run on Citus, by its path or name.
NOT_ON_CITUS = {
    "db/test_schema.py::TestConstraints": _ONE_TRANSACTION,
    "db/test_schema.py::TestIsolation": _ONE_TRANSACTION,
    "db/test_statement_counts.py": _ONE_TRANSACTION,
    "test_pshell.py::TestTransaction": _ONE_TRANSACTION,
    "db/test_connections.py": _SERVER,
    "db/test_replicas.py": _SERVER,
    "test_faults.py": _SERVER,
    "test_failures_write_as_much_to_the_wal_for_unknown_accounts": _SERVER,
    "test_sign_in_on_a_read_only_database_does_not_call_cognito": _SERVER,
    "commands/test_check.py::test_read_only_server_is_an_error": _SERVER,
    "test_database_that_hangs_is_not_ready_within_a_second": _SERVER,
    "test_database_that_was_restarted_is_ready_at_once": _SERVER,
    "test_outage_of_the_database_is_one_line_a_second": _SERVER,
    "test_url_of_the_database_is_read_anew_when_its_password_is_rejected": _SERVER,
    "test_passfile_is_read_at_each_connection": _SERVER,
    # It deletes the job as well, which its rollback restores.
    "test_404_of_a_concurrent_deletion_says_what_was_deleted[DELETE-{note}": _ONE_TRANSACTION,
    "test_extension.py": _SERVER,
    "search/test_plan.py": _PLANS,
    "trash/test_plans.py": _PLANS,
    "trash/test_list.py::TestPlan": _PLANS,
    "test_indexes_find_users_and_jobs": _PLANS,
    "test_purge_computes_no_words": _ONE_TRANSACTION,
    "test_deletion_of_rows_derives_and_records_nothing": _ONE_TRANSACTION,
    "http/test_response_size.py": _MANY_ROWS,
    "http/test_pagination.py::TestLimits": _MANY_ROWS,
    "test_default_quota_holds": _MANY_ROWS,
    "test_jobs_by_sql_count": _OWN_SQL,
    "test_ids_are_in_the_order_of_time": _OWN_SQL,
    "test_statement_on_each_table_increments_once": _OWN_SQL,
    "test_transaction_of_several_statements_increments_once": _OWN_SQL,
    "test_change_of_owner_increments_both_users": _OWN_SQL,
    "test_concurrent_purges_of_a_job_and_its_document_do_not_deadlock": _LOCKS,
    "test_name_of_a_view_is_freed_and_taken_without_a_deadlock": _LOCKS,
    "test_worker_that_purges_a_job_does_not_deadlock_with_the_deletion_of_another_one": _LOCKS,
    "test_request_whose_commit_is_the_victim_of_a_deadlock_is_tried_again": _LOCKS,
    "stats/test_carried_summaries.py": _OWN_SQL,
    "search/test_definition.py": _OWN_SQL,
    "test_each_of_several_follow_ups_changes_the_etag": _OWN_SQL,
    "test_random_changes_keep_the_history_and_the_funnel_right": _SAME_TIME,
    "test_steps_that_the_user_entered_keep_their_places": _SAME_TIME,
    "test_later_of_two_steps_at_the_same_time_sets_the_status": _SAME_TIME,
    "test_status_set_after_a_step_in_the_near_future_is_later": _SAME_TIME,
    "test_full_history_takes_no_step_of_the_date": _QUOTA,
    "test_concurrent_patches_do_not_exceed_the_quota_of_steps": _QUOTA,
}
