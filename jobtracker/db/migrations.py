"""What migrations are written with, so that they lock no table for long: see CONTRIBUTING.md.

The functions work online and offline (``alembic upgrade --sql``). But for :func:`autocommit` and
:func:`retry_lock_timeouts` they are for the inside of :func:`autocommit`, and can be repeated.
"""

import itertools
import logging
import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from alembic import op
from psycopg.errors import DeadlockDetected, LockNotAvailable
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

log = logging.getLogger(__name__)

# A statement that waits for a lock makes all later ones of other sessions wait behind it.
LOCK_TIMEOUT = "1s"
# Of each third attempt. PostgreSQL cancels an autovacuum that is in the way after deadlock_timeout,
# whose default is 1 s: a lock_timeout that is not longer never gets past it.
LOCK_TIMEOUT_PAST_AUTOVACUUM = "1100ms"
# A batch of a backfill holds row locks while it waits for one.
LOCK_TIMEOUT_OF_BATCH = "100ms"
# Seconds until a lock time-out is an error.
MAX_SECONDS_OF_RETRIES = 600
MAX_PAUSE = 10


def retry_lock_timeouts(
    run: Callable[[], None], set_lock_timeout: Callable[[str], None] | None = None
) -> None:
    """Call a function until no lock times out, and it is in no deadlock.

    The pauses grow, and are random: attempts do not coincide with periodic transactions.

    :param set_lock_timeout: sets lock_timeout for the next attempt, unless it is to stay
    :raises DBAPIError: of the last attempt, after :data:`MAX_SECONDS_OF_RETRIES`
    """
    deadline = time.monotonic() + MAX_SECONDS_OF_RETRIES
    longest = 1.0
    for attempt in itertools.count(1):
        if set_lock_timeout and attempt > 1:
            set_lock_timeout(LOCK_TIMEOUT if attempt % 3 else LOCK_TIMEOUT_PAST_AUTOVACUUM)
        try:
            run()
            break
        except (DBAPIError, psycopg.Error) as error:
            cause = getattr(error, "orig", error)
            is_lock = isinstance(cause, (LockNotAvailable, DeadlockDetected))
            if not is_lock or time.monotonic() > deadline:
                raise
        pause = random.uniform(longest / 2, longest)  # noqa: S311
        log.warning("%s: tried again in %.1f s", str(cause).partition("\n")[0], pause)
        time.sleep(pause)
        longest = min(longest * 1.5, MAX_PAUSE)
    if set_lock_timeout and attempt > 1:
        set_lock_timeout(LOCK_TIMEOUT)


def set_lock_timeout(value: str) -> None:
    op.execute(f"SET lock_timeout = '{value}'")


@contextmanager
def autocommit() -> Iterator[None]:
    """Commit each statement by itself, and what the migration has done before.

    autocommit_block() of Alembic refuses a connection that is detached from its pool.
    """
    context = op.get_context()
    if context.as_sql:
        with context.autocommit_block():
            yield
        return
    op.execute("COMMIT")
    driver: Any = op.get_bind().connection.dbapi_connection
    driver.autocommit = True
    try:
        yield
    finally:
        if not driver.closed:
            driver.autocommit = False


def execute(statement: str) -> None:
    """Execute a statement, or several without functions in one transaction, again after lock
    time-outs."""
    # Citus sends the text of CREATE TRIGGER to the workers, which take one statement at a time.
    has_function = "$$" in statement or "BEGIN ATOMIC" in statement
    parts = [statement] if has_function else statement.split(";\n")

    def run() -> None:
        if len(parts) == 1 or op.get_context().as_sql:
            op.execute(statement)
            return
        driver: Any = op.get_bind().connection.dbapi_connection
        with driver.transaction():
            for part in parts:
                op.execute(part)

    retry_lock_timeouts(run, set_lock_timeout)


def add_constraint(table: str, name: str, definition: str) -> None:
    """Add a CHECK or a foreign key, in the place of one of that name, and validate it.

    New rows are checked at once. Existing ones are then checked without a lock that conflicts with
    writes. Citus allows one subcommand with a constraint in each statement.
    """
    execute(
        "-- squawk-ignore ban-drop-constraint\n"
        f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}"
    )
    execute(
        "-- squawk-ignore prefer-robust-stmts\n"
        f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition} NOT VALID"
    )
    with _lock_timeout("0"):
        op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")


def set_not_null(table: str, column: str) -> None:
    """Set a column NOT NULL, without a scan of the table under its lock."""
    check = f"{table}_{column}_is_not_null"
    add_constraint(table, check, f"CHECK ({column} IS NOT NULL)")
    execute(
        "-- squawk-ignore prefer-robust-stmts\n"
        f"ALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL"
    )
    execute(
        "-- squawk-ignore ban-drop-constraint\n"
        f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {check}"
    )


def create_index(name: str, definition: str, *, unique: bool = False) -> None:
    """Create an index concurrently, unless it exists and is valid.

    An interrupted attempt leaves an invalid one, which is dropped first.

    :param definition: what follows ON, as in ``jobs (user_id, status)``
    """

    def create() -> None:
        if not op.get_context().as_sql:
            valid = text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)")
            if op.get_bind().execute(valid, {"name": name}).scalar():
                return
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
        kind = "UNIQUE INDEX" if unique else "INDEX"
        op.execute(f"CREATE {kind} CONCURRENTLY IF NOT EXISTS {name} ON {definition}")

    # It waits for all running transactions, while nothing waits for it.
    with _lock_timeout("0"):
        retry_lock_timeouts(create)


def drop_index(name: str) -> None:
    """Drop an index concurrently, if it exists."""
    with _lock_timeout("0"):
        retry_lock_timeouts(lambda: op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}"))


def backfill(
    table: str, statement: str, *, key: Sequence[str] = ("user_id", "id"), rows: int = 1000
) -> None:
    """Execute a statement for all rows of a table, in batches, each in a transaction of its own.

    After each batch it pauses for as long as that took, or for a multiple of this:
    ``alembic -x pause=4 upgrade head``, with 0 not at all. An interrupted backfill begins again
    with the first row.

    :param statement: an UPDATE with ``{batch}`` where its condition for the rows of a batch
        belongs, or a SELECT of a function of the keys of the first and the last one, as
        ``first.user_id``; it leaves rows as they are for which it was executed before
    :param rows: the size of a batch, which should take less than a tenth of a second
    """
    sql = _BatchStatements(table, statement, key, rows)
    with _lock_timeout(LOCK_TIMEOUT_OF_BATCH):
        if op.get_context().as_sql:
            op.execute(sql.as_block())
        else:
            _backfill(sql)


class _BatchStatements:
    """The statements of a backfill, for the parameters ``first.KEY`` and ``last.KEY``."""

    def __init__(self, table: str, statement: str, key: Sequence[str], rows: int) -> None:
        # All names are those of migrations.
        columns = ", ".join(key)
        descending = ", ".join(f"{each} DESC" for each in key)
        first = ", ".join(f"first.{each}" for each in key)
        last = ", ".join(f"last.{each}" for each in key)
        self.table, self.key, self.columns = table, key, columns
        self.first = f"SELECT {columns} FROM {table} ORDER BY {columns} LIMIT 1"  # noqa: S608
        self.last = (
            f"SELECT {columns} FROM (SELECT {columns} FROM {table}"  # noqa: S608
            f" WHERE ({columns}) >= ({first}) ORDER BY {columns} LIMIT {rows}) AS batch"
            f" ORDER BY {descending} LIMIT 1"
        )
        self.next = (
            f"SELECT {columns} FROM {table} WHERE ({columns}) > ({last})"  # noqa: S608
            f" ORDER BY {columns} LIMIT 1"
        )
        qualified = ", ".join(f"{table}.{each}" for each in key)
        self.update = statement.replace(
            "{batch}", f"({qualified}) >= ({first}) AND ({qualified}) <= ({last})"
        )

    def run(self, query: str, **rows: Any) -> Any:
        parameters = {}
        for name, row in rows.items():
            for column, value in zip(self.key, row, strict=True):
                query = query.replace(f"{name}.{column}", f":{name}_{column}")
                parameters[f"{name}_{column}"] = value
        return op.get_bind().execute(text(query), parameters)

    def as_block(self) -> str:
        """The whole backfill as a DO statement."""
        into = f"SELECT {self.columns} INTO"
        select = f"SELECT {self.columns} "
        update = re.sub(r"^\s*SELECT\b", "PERFORM", self.update)
        return f"""
DO $backfill$
DECLARE
    first record;
    last record;
BEGIN
    {self.first.replace(select, f"{into} first ", 1)};
    WHILE FOUND LOOP
        {self.last.replace(select, f"{into} last ", 1)};
        {update};
        COMMIT;
        {self.next.replace(select, f"{into} first ", 1)};
    END LOOP;
END $backfill$
"""


def _backfill(sql: _BatchStatements) -> None:
    environment = op.get_context().environment_context
    options = environment.get_x_argument(as_dictionary=True) if environment else {}
    pause = float(options.get("pause", 1))
    first, number, logged_at = sql.run(sql.first).first(), 0, time.monotonic()
    while first is not None:
        last = sql.run(sql.last, first=first).first()
        if last is None:  # the rows were deleted meanwhile
            break
        began_at = time.monotonic()
        retry_lock_timeouts(lambda batch=(first, last): _run_batch(sql, *batch))  # type: ignore[misc]
        now = time.monotonic()
        number += 1
        if now > logged_at + 10:
            log.info("%s: batch %s, up to %s", sql.table, number, tuple(last))
            logged_at = now
        time.sleep(pause * (now - began_at))
        first = sql.run(sql.next, last=last).first()


def _run_batch(sql: _BatchStatements, first: Any, last: Any) -> None:
    sql.run(sql.update, first=first, last=last)


@contextmanager
def _lock_timeout(value: str) -> Iterator[None]:
    set_lock_timeout(value)
    try:
        yield
    finally:
        set_lock_timeout(LOCK_TIMEOUT)
