"""A Citus cluster on which the tests run, by the URL of a database of its coordinator.

The tests make databases of their own on all nodes. The application's tables are distributed by
deploy/citus.sql, and statements of requests that touch more than one shard are collected.
"""

import os
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


def clear(engine: Engine) -> None:
    """Delete all rows but the keys: of the tables that reference no other, and what is below."""
    with engine.begin() as connection:
        tables = connection.exec_driver_sql("""
            SELECT oid::regclass::text FROM pg_class
            WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'
                AND relname NOT IN ('alembic_version', 'signing_keys')
                AND NOT EXISTS (
                    SELECT FROM pg_constraint WHERE conrelid = pg_class.oid AND contype = 'f')
        """).scalars()
        for table in tables.all():
            connection.exec_driver_sql(f"DELETE FROM {table}")  # noqa: S608 (from the catalog)


def collect_multi_shard_statements() -> list[str]:
    """The statements of requests that touch more than one shard, from now on in this process."""
    found: list[str] = []
    run = TimeoutConnection.run

    def run_and_remember(self: TimeoutConnection, query: Any, *args: Any, **options: Any) -> Any:
        self.__dict__["last_query"] = query
        return run(self, query, *args, **options)

    TimeoutConnection.run = run_and_remember  # type: ignore[method-assign]

    def handle(connection: psycopg.Connection[Any]) -> None:
        def notice(diagnostic: psycopg.errors.Diagnostic) -> None:
            request = get_current_request()
            query = connection.__dict__.get("last_query")
            is_expected = request is None or query in ON_ALL_SHARDS
            if not is_expected and diagnostic.message_primary == MULTI_SHARD:
                found.append(f"{request.method} {request.path}: {query}")

        connection.add_notice_handler(notice)

    @event.listens_for(Engine, "connect")
    def connect(driver: psycopg.Connection[Any], _record: Any) -> None:
        handle(driver)

    return found
