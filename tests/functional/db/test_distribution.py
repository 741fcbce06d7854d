"""What Citus needs to distribute the tables by user, as far as PostgreSQL alone can tell.

test_citus.py has what a cluster tells.
"""

import functools
import importlib
import io
import pkgutil
import re
from collections.abc import Iterator
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

import jobtracker
from jobtracker.accounts import queries as accounts
from jobtracker.archive.kinds import ARCHIVE_KINDS, INTERVIEWS, JOBS, NOTES, SAVED_VIEWS
from jobtracker.auth import queries as auth
from jobtracker.data import DATA
from jobtracker.db.base import Base
from jobtracker.db.expiry import ExpiredRows
from jobtracker.db.statements import PageStatement, Repository, Statement
from jobtracker.db.trashable_rows import TrashableRepository
from jobtracker.documents import key_queries
from jobtracker.documents import object_deletion_queries as object_deletions
from jobtracker.documents import queries as documents
from jobtracker.documents.models import Document
from jobtracker.imports import row_queries as import_rows
from jobtracker.imports import undo_queries
from jobtracker.interviews.models import Interview
from jobtracker.jobs import queries as jobs
from jobtracker.jobs.models import Job
from jobtracker.notes.models import Note
from jobtracker.retention import queries as retention
from jobtracker.saved_views.models import SavedView
from jobtracker.search import queries as search
from jobtracker.search import trash_queries as trashed_words
from jobtracker.stats import queries as stats
from jobtracker.tasks import lease_queries as leases
from jobtracker.tasks import queries as tasks
from jobtracker.trash import purge_queries as purging
from jobtracker.trash import queries as trash
from jobtracker.usage import queries as usage
from jobtracker.users import deletion_queries
from jobtracker.users import queries as users

MIGRATIONS = DATA / "migrations"
DISTRIBUTED = {"users"} | {
    name for name, table in Base.metadata.tables.items() if "user_id" in table.columns
}
# Calls of the functions that compile a statement for some arguments.
FILTERS = ("q", "status", "tag", "tag_q")
OF_JOBS = [each.trash_kind for each in (Note, Interview, Document)]
TRASH_KINDS = [Job.trash_kind, SavedView.trash_kind, *OF_JOBS]
COMPILED: dict[Any, list[tuple[Any, ...]]] = {
    accounts._count: [()],
    accounts._deletions: [()],
    key_queries.of_users: [()],
    jobs._page: [(sort, FILTERS) for sort in jobs.SORTS],
    jobs._insert: [(("company_name", "tags"),)],
    jobs._update: [(("company_name", "status"),)],
    jobs.job_of_trashed: [(Note,)],
    stats._funnel: [(True, True)],
    search._search: [(2, (0, None))],
    usage._usage: [()],
    trash._page: [(tuple(TRASH_KINDS), False), (tuple(TRASH_KINDS), True)],
    **{
        of_kind: [(kind,) for kind in TRASH_KINDS]
        for of_kind in (trash._find, purging._count, purging._delete)
    },
    **{
        of_kind: [(kind,) for kind in ARCHIVE_KINDS if hasattr(kind.model, "trash_kind")]
        for of_kind in (import_rows._find_known, import_rows._find_own)
    },
    import_rows._counts: [(NOTES,), (INTERVIEWS,)],
    import_rows._insert: [
        (NOTES, ("application_id", "body")),
        *((kind,) for kind in ARCHIVE_KINDS if not kind.is_single),
    ],
    import_rows._update: [(JOBS,), (INTERVIEWS,), (SAVED_VIEWS,)],
    import_rows._trash_jobs: [()],
    **{
        of_kind: [(kind,) for kind in TRASH_KINDS]
        for of_kind in (undo_queries._count, undo_queries._trash)
    },
    purging._delete_of_jobs: [(kind,) for kind in OF_JOBS],
    purging._users: [(kind,) for kind in TRASH_KINDS],
    purging._backlog: [(kind,) for kind in TRASH_KINDS],
}
ON_ALL_SHARDS = set(users.WITHOUT_USER_ID)
# Of programs: the sweeper, workers, and what follows a restore, of many users at once.
OF_PROGRAMS: set[Statement[Any]] = {
    users._LAST_OF_BATCH,
    users._RENEW_REVISIONS,
    documents._EXPIRED,
    documents._SCANNING,
    object_deletions._NEXT_DUE,
    object_deletions._COUNT,
    key_queries.of_users(),
    deletion_queries._FIND_REQUESTED,
    leases._FIND_DUE,
    leases._NEXT_DUE,
    tasks._COUNT_DUE,
    *(each(kind) for kind in TRASH_KINDS for each in (purging._users, purging._backlog)),
    trashed_words._USERS,
    retention._NEXT_USERS,
    retention._HAVE_DUE_JOBS,
}
OF_USER = r"\b(?:user_id|users\.id|identities\.sub) = %\((?:user_id|row_id|sub|new_user_id)\)s"
CLOCK = r"\b(now|statement_timestamp|clock_timestamp|transaction_timestamp)\(\)"


def modules() -> Iterator[Any]:
    for found in pkgutil.walk_packages(jobtracker.__path__, "jobtracker."):
        if not found.name.startswith(("jobtracker.local", "jobtracker.__main__")):
            yield importlib.import_module(found.name)


def statements_of(value: Any) -> Iterator[Statement[Any]]:
    """The statements that an object of a module has or makes."""
    if isinstance(value, Statement):
        yield value
    elif isinstance(value, list):
        yield from (statement for each in value for statement in statements_of(each))
    elif isinstance(value, PageStatement):
        bounds = {False, bool(value._texts)}
        yield from (value._compile(each, bound) for each in (False, True) for bound in bounds)
    elif isinstance(value, Repository):
        yield from (value._find, value._lock, value._delete)
        name = next(name for name in reversed(value.row._fields) if name in value.model.__table__.c)
        yield value._update((name,))
        if "user_id" in value.row._fields:
            yield from (value._insert(("user_id", name)), value._insert_within(("user_id", name)))
        if value._of_owner:  # not of all users
            yield from (value._count, *statements_of(value._page))
        if isinstance(value, TrashableRepository):
            yield from (value._lock_in_trash, value._restore, value._purge)
            yield value._trash(("trashed_at",))
    elif isinstance(value, functools._lru_cache_wrapper):
        for arguments in COMPILED.get(value, ()):
            yield from statements_of(value(*arguments))


@pytest.fixture(scope="module")
def statements() -> list[Statement[Any]]:
    """All statements of requests on distributed tables."""
    found = [
        statement
        for module in modules()
        for value in vars(module).values()
        for statement in statements_of(value)
    ]
    unique = [each for each in dict.fromkeys(found) if each not in OF_PROGRAMS]
    of_users = [each for each in unique if tables(each.bind()[0]) & DISTRIBUTED]
    assert len(of_users) > 60
    return of_users


def tables(sql: str) -> set[str]:
    return set(re.findall(r"\b(?:FROM|JOIN|UPDATE|INTO) (\w+)", sql))


def test_functions_that_compile_statements_are_known():
    made = {
        value
        for module in modules()
        for value in vars(module).values()
        if isinstance(value, functools._lru_cache_wrapper)
        and getattr(value, "__annotations__", {}).get("return") is not None
        and re.search("Statement|Command", str(value.__annotations__["return"]))
    }
    assert made == set(COMPILED)


def test_each_table_in_a_statement_of_a_request_is_limited_to_a_user(
    statements: list[Statement[Any]],
):
    """As often as a statement names a table, it names the user or the identity."""
    for statement in statements:
        if statement in ON_ALL_SHARDS:
            continue
        sql = re.sub(r"\s+", " ", statement.bind()[0])
        named = [
            name
            for name in re.findall(r"\b(?:FROM|JOIN|UPDATE|DELETE FROM) (\w+)", sql)
            if name in DISTRIBUTED
        ]
        limits = len(re.findall(OF_USER, sql))
        if sql.startswith("INSERT"):
            assert re.search(r"INSERT INTO \w+ \(([^)]*\b)?(user_id|sub|cognito_sub)\b", sql), sql
        assert limits >= len(named), sql


def test_no_statement_has_a_clock_where_citus_allows_none(statements: list[Statement[Any]]):
    for statement in statements:
        sql = re.sub(r"\s+", " ", statement.bind()[0])
        _before, _on_conflict, after = sql.partition("ON CONFLICT")
        assert not re.search(CLOCK, after), sql
        _before, _returning, after = sql.partition("RETURNING")
        assert not re.search(CLOCK, after), sql
        if not sql.startswith("SELECT"):
            for case in re.findall(r"\bCASE\b.*?\bEND\b|\bcoalesce\(.*?\)", sql):
                assert not re.search(CLOCK, case), sql


def test_no_statement_locks_rows_that_an_insert_selects(statements: list[Statement[Any]]):
    for statement in statements:
        assert not re.search(r"^INSERT .*\bFOR (NO KEY )?UPDATE", statement.bind()[0], re.DOTALL)


def test_no_statement_calls_a_function_for_rows_that_has_statements(
    statements: list[Statement[Any]], connection: Connection
):
    """Citus executes the function on a worker, where its statements are refused."""
    functions = text(
        """SELECT proname, prosrc FROM pg_proc JOIN pg_language ON pg_language.oid = prolang
           WHERE pronamespace = 'public'::regnamespace AND lanname = 'plpgsql'"""
    )
    names = {name for name, body in connection.execute(functions) if tables(body) & DISTRIBUTED}
    assert "record_activity" in names
    for statement in statements:
        sql = statement.bind()[0]
        assert not names & set(re.findall(r"\b(\w+)\(", sql)), sql


def test_no_user_that_a_subquery_finds_is_in_an_anti_join():
    for statement in users.WITHOUT_USER_ID:
        assert "NOT (EXISTS" not in statement.bind()[0]


def expired_rows() -> list[ExpiredRows]:
    found = {
        value
        for module in modules()
        for value in vars(module).values()
        if isinstance(value, ExpiredRows)
    }
    assert auth.EXPIRED in found
    return list(found)


def test_expired_rows_are_deleted_by_a_join_with_their_keys():
    for each in expired_rows():
        assert " IN (SELECT" not in each._delete.bind()[0]


def test_programs_lock_no_rows_of_several_users():
    of_programs: list[Statement[Any]] = [*OF_PROGRAMS, *(each._find for each in expired_rows())]
    for each in of_programs:
        assert "FOR UPDATE" not in each.bind()[0]


class TestSchema:
    def rows(self, connection: Connection, query: str) -> list[Any]:
        return [tuple(row) for row in connection.execute(text(query))]

    def functions(self, connection: Connection) -> dict[str, str]:
        return dict(
            self.rows(
                connection,
                """SELECT proname, pg_get_functiondef(oid) FROM pg_proc
                   WHERE pronamespace = 'public'::regnamespace""",
            )
        )

    def test_no_function_takes_a_row(self, connection: Connection):
        # On a worker, NEW and OLD have the type of a shard, for which there is no such function.
        found = self.rows(
            connection,
            """SELECT pg_proc.oid::regprocedure::text FROM pg_proc
               JOIN pg_type ON pg_type.oid = ANY (proargtypes)
               WHERE pronamespace = 'public'::regnamespace AND typtype = 'c'""",
        )
        assert found == []
        for name, definition in self.functions(connection).items():
            assert not re.search(r"[(,]\s*(NEW|OLD)\s*[,)]", definition), name

    def test_no_function_has_a_variable_of_a_row_of_a_table(self, connection: Connection):
        of_tables = "|".join(Base.metadata.tables)
        for name, definition in self.functions(connection).items():
            declared = re.findall(r"DECLARE(.*?)\bBEGIN\b", definition, re.DOTALL)
            for declarations in declared:
                assert not re.search(rf"^\s*\w+ ({of_tables})\b", declarations, re.MULTILINE), name

    def test_no_function_skips_locked_rows(self, connection: Connection):
        for name, definition in self.functions(connection).items():
            assert "SKIP LOCKED" not in definition, name

    def test_no_function_has_a_clock_in_on_conflict(self, connection: Connection):
        for name, definition in self.functions(connection).items():
            for after in re.findall(r"ON CONFLICT(.*?);", definition, re.DOTALL):
                assert not re.search(CLOCK, after), name

    def test_what_is_unique_is_so_for_a_user(self, connection: Connection):
        found = self.rows(
            connection,
            """SELECT indrelid::regclass::text, array_agg(attname::text) FROM pg_index
               JOIN pg_attribute ON attrelid = indexrelid
               JOIN pg_class ON pg_class.oid = indrelid
               WHERE indisunique AND relnamespace = 'public'::regnamespace
               GROUP BY indexrelid, indrelid""",
        )
        found = [row for row in found if row[0] in DISTRIBUTED]
        keys = {"users": "id", "identities": "sub"}
        for table, columns in found:
            assert keys.get(table, "user_id") in columns, (table, columns)
        assert {table for table, _columns in found} == DISTRIBUTED

    def test_foreign_keys_are_of_one_user(self, connection: Connection):
        found = self.rows(
            connection,
            """SELECT pg_get_constraintdef(oid) FROM pg_constraint
               WHERE contype = 'f' AND connamespace = 'public'::regnamespace""",
        )
        for (definition,) in found:
            assert definition.startswith(
                ("FOREIGN KEY (user_id) REFERENCES users(id)", "FOREIGN KEY (user_id, ")
            ), definition


def test_migrations_add_each_constraint_by_a_statement_of_its_own():
    config, sql = Config(), io.StringIO()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.output_buffer = sql
    command.upgrade(config, "0001:head", sql=True)
    statements = re.findall(r"^ALTER TABLE .*?;", sql.getvalue(), re.DOTALL | re.MULTILINE)
    assert len(statements) > 30
    for each in statements:
        number = len(re.findall(r"\b(?:ADD|ALTER|DROP) (?:COLUMN|CONSTRAINT)\b", each))
        assert number == 1 or "ADD CONSTRAINT" not in each, each
