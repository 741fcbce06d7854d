"""SQL that SQLAlchemy compiles once and psycopg executes, with typed rows instead of objects.

::

    class NoteRow(NamedTuple):
        id: int
        body: str

    BY_ID = Statement(select(*columns_of(Note, NoteRow)).where(Note.id == bindparam("id")), NoteRow)
    note = BY_ID.first(connection, id=3)

What it saves beside the ORM is in benchmarks/README.md.
"""

import datetime
import functools
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from jobtracker.db.base import NOW
from jobtracker.db.connections import SupportsExecute
from jobtracker.db.keyset import MAX_BYTES, SMALL_PAGE, Page, Sort
from jobtracker.db.trash import Trashable
from jobtracker.errors import NotFound

DIALECT = PGDialect_psycopg()  # type: ignore[no-untyped-call]

R = TypeVar("R")


class Statement(Generic[R]):
    """A statement with named ``bindparam`` parameters, and the type of its rows.

    :param clause: selects or returns the fields of ``row``, in their order
    :param row: a NamedTuple
    """

    def __init__(self, clause: sa.ClauseElement, row: type[R]) -> None:
        self._clause = clause
        # NamedTuple._make() without its Python function.
        self._make: Callable[[Any], R] = functools.partial(tuple.__new__, row)  # type: ignore[type-var]

    @functools.cached_property
    def _compiled(self) -> tuple[str, dict[str, Any]]:
        compiled = self._clause.compile(dialect=DIALECT)
        # Without the line break of a text(): a connection recognizes reads by their first word.
        return str(compiled).strip(), compiled.params

    def bind(self, **parameters: Any) -> tuple[str, dict[str, Any]]:
        """The SQL and the parameters, for an execution in a pipeline."""
        sql, constants = self._compiled
        return sql, {**constants, **parameters}

    def all(self, connection: SupportsExecute, **parameters: Any) -> list[R]:
        sql, constants = self._compiled
        with connection.execute(sql, {**constants, **parameters}, binary=True) as cursor:
            return [self._make(row) for row in cursor.fetchall()]

    def first(self, connection: SupportsExecute, **parameters: Any) -> R | None:
        sql, constants = self._compiled
        row = connection.execute(sql, {**constants, **parameters}, binary=True).fetchone()
        return None if row is None else self._make(row)

    def first_or_not_found(self, connection: SupportsExecute, **parameters: Any) -> R:
        """The first row; NotFound when there is none."""
        row = self.first(connection, **parameters)
        if row is None:
            raise NotFound
        return row


class Command(Statement[tuple[Any, ...]]):
    """A statement that returns no rows."""

    def __init__(self, clause: sa.ClauseElement) -> None:
        super().__init__(clause, tuple)

    def execute(self, connection: SupportsExecute, **parameters: Any) -> int:
        """Execute it, and return the number of affected rows."""
        sql, constants = self._compiled
        return connection.execute(sql, {**constants, **parameters}).rowcount


class ScalarStatement(Statement[R]):
    """A statement whose rows are one value each: ``ScalarStatement[int](select(Job.id))``."""

    def __init__(self, clause: sa.ClauseElement) -> None:
        self._clause, self._make = clause, operator.itemgetter(0)


_NOW = ScalarStatement[datetime.datetime](sa.select(NOW))


def database_time(connection: SupportsExecute) -> datetime.datetime:
    """The time by the clock of the database."""
    return _NOW.first_or_not_found(connection)


def count_up_to_limit(model: Any, condition: sa.ColumnElement[bool]) -> ScalarStatement[int]:
    """The number of rows of a mapped class, at most the parameter ``max_rows``."""
    limit = sa.bindparam("max_rows", type_=sa.BigInteger)
    rows: sa.Select[Any] = (
        sa.select(sa.literal_column("1")).select_from(model.__table__).where(condition)
    )
    return ScalarStatement(sa.select(sa.func.count()).select_from(rows.limit(limit).subquery()))


class PageStatement(Generic[R]):
    """The pages of a query, in an order.

    :param texts: the expressions of texts that can be long. If those of all rows of the owner
        exceed :data:`jobtracker.db.keyset.MAX_BYTES`, a page of more than SMALL_PAGE rows ends with
        the row whose texts exceed it, so that no more are loaded. Its JSON exceeds MAX_BYTES too,
        and :func:`jobtracker.http.pagination.render_page` cuts it.
    :param of_owner: the conditions of the owner's rows
    """

    def __init__(
        self,
        query: sa.Select[Any],
        row: type[R],
        sort: Sort,
        *,
        texts: Sequence[Any] = (),
        of_owner: Sequence[sa.ColumnElement[bool]] = (),
    ) -> None:
        self._query, self._row, self._sort = query, row, sort
        self._texts, self._of_owner = texts, of_owner
        self._statement = functools.cache(self._compile)

    def page(
        self,
        connection: SupportsExecute,
        limit: int | None,
        after: Sequence[Any] | None,
        *,
        number: int | None = None,
        **parameters: Any,
    ) -> Page[R]:
        """At most ``limit`` rows, those that follow the row with the sort keys ``after``.

        :param number: of the owner's rows, as an earlier statement found it. Where they are few,
            their texts need not be added up, which takes a third of the time of a page of 50.
        """
        parameters |= self._sort.parameters(after)

        def read(limit: int | None, *, is_bounded: bool = False) -> Page[R]:
            rows_limit = None if limit is None else limit + 1
            statement = self._statement(after is not None, is_bounded)
            rows = statement.all(connection, limit=rows_limit, **parameters)
            return Page.from_rows(rows, limit, self._sort)

        if limit is not None and limit <= SMALL_PAGE:
            return read(limit)
        if number is not None and number <= SMALL_PAGE:
            page = read(SMALL_PAGE)
            if page.next_sort_keys is None:
                return page  # otherwise rows were inserted since
        return read(limit, is_bounded=bool(self._texts))

    def _compile(self, is_continued: bool, is_bounded: bool) -> Statement[R]:
        query = self._query.where(self._sort.after()) if is_continued else self._query
        query = query.order_by(*self._sort.order())
        limit: Any = sa.bindparam("limit", type_=sa.BigInteger)
        if is_bounded:
            limit = self._bounded(limit, query)
        return Statement(query.limit(limit), self._row)

    def _bounded(self, limit: Any, query: sa.Select[Any]) -> Any:
        """The limit, or the number of rows up to the one whose texts exceed MAX_BYTES.

        The bytes of all rows are added up first, at a tenth of the cost of a running total.
        """
        # octet_length() of a compressed or external value reads its header alone.
        octets = [sa.func.octet_length(text) for text in self._texts]
        sums = (sa.func.coalesce(sa.func.sum(each), 0) for each in octets)
        of_all = sa.select(functools.reduce(operator.add, sums)).where(*self._of_owner)
        of_row: Any = functools.reduce(operator.add, (sa.func.coalesce(each, 0) for each in octets))
        before = sa.func.sum(of_row).over(order_by=self._sort.order(), rows=(None, 0)) - of_row
        rows = query.with_only_columns(before.label("before")).limit(limit).subquery()
        fitting = sa.select(sa.func.count()).where(rows.c.before <= MAX_BYTES).correlate(None)
        is_small = of_all.correlate(None).scalar_subquery() <= MAX_BYTES
        return sa.case((is_small, limit), else_=fitting.scalar_subquery())


def columns_of(
    model: Any, row: Any, expressions: Mapping[str, Any] = MappingProxyType({})
) -> list[sa.ColumnElement[Any]]:
    """The columns of a mapped class that a NamedTuple names as its fields.

    :param expressions: by name, the fields that are no columns
    """
    columns = {**model.__table__.c, **expressions}
    return [columns[name] for name in row._fields]


def new_values(model: Any, names: Iterable[str]) -> dict[str, sa.ColumnElement[Any]]:
    """The values of an INSERT or UPDATE: the parameter ``new_x`` for each column ``x``."""
    columns = model.__table__.c
    return {name: sa.bindparam(f"new_{name}", type_=columns[name].type) for name in names}


def new_parameters(values: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of :func:`new_values`."""
    return {f"new_{name}": value for name, value in values.items()}


# The columns that identify the owner, with their values.
Owner = Mapping[str, int]


class Repository(Generic[R]):
    """The statements that all collections share, on the rows of one owner in one table: those that
    are not in the trash, if it is a :class:`jobtracker.db.trash.Trashable` one.

    :param owner_columns: the names of the columns that identify the owner: the user, or the job
    :param texts: as for :class:`PageStatement`
    :param expressions: as for :func:`columns_of`
    :param updated_expressions: the same, of the rows that an update returns. They have no functions
        that are not immutable, for Citus.
    :param sets_updated_at: whether an update sets the column ``updated_at`` to now
    """

    def __init__(
        self,
        model: Any,
        row: type[R],
        *,
        owner_columns: Sequence[str],
        order: Sort,
        sets_updated_at: bool = False,
        texts: Sequence[Any] = (),
        expressions: Mapping[str, Any] = MappingProxyType({}),
        updated_expressions: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self.model, self.row = model, row
        self._set_on_update = {"updated_at": NOW} if sets_updated_at else {}
        self._columns = columns_of(model, row, expressions)
        self._updated_columns = columns_of(model, row, updated_expressions)
        table = model.__table__
        of_owner = tuple(table.c[name] == sa.bindparam(name) for name in owner_columns)
        by_id = (*of_owner, table.c.id == sa.bindparam("row_id"))
        is_live = (table.c.trashed_at.is_(None),) if issubclass(model, Trashable) else ()
        self._of_owner, self._by_id = (*of_owner, *is_live), (*by_id, *is_live)
        found = sa.select(*self._columns).where(*self._by_id)
        self._find = Statement(found, row)
        self._lock = Statement(found.with_for_update(key_share=True), row)
        count = sa.select(sa.func.count()).select_from(table).where(*self._of_owner)
        self._count = ScalarStatement[int](count)
        self._has_room = count.scalar_subquery() < sa.bindparam("quota", type_=sa.BigInteger)
        self._delete = Command(sa.delete(table).where(*self._by_id))
        self._insert = functools.cache(self._compile_insert)
        self._insert_within = functools.cache(self._compile_insert_within)
        self._update = functools.cache(self._compile_update)
        query = sa.select(*self._columns).where(*self._of_owner)
        self._page = PageStatement(query, row, order, texts=texts, of_owner=self._of_owner)

    def page(
        self,
        connection: SupportsExecute,
        owner: Owner,
        limit: int | None,
        after: Sequence[Any] | None = None,
    ) -> Page[R]:
        """The rows that follow the one with the sort keys ``after``, at most ``limit``."""
        return self._page.page(connection, limit, after, **owner)

    def find(self, connection: SupportsExecute, owner: Owner, row_id: int) -> R | None:
        return self._find.first(connection, **owner, row_id=row_id)

    def lock(self, connection: SupportsExecute, owner: Owner, row_id: int) -> R:
        """The row of that id, locked until the end of the transaction.

        :raises NotFound: when it was deleted concurrently
        """
        return self._lock.first_or_not_found(connection, **owner, row_id=row_id)

    def count(self, connection: SupportsExecute, owner: Owner) -> int:
        return self._count.first_or_not_found(connection, **owner)

    def insert(self, connection: SupportsExecute, values: Mapping[str, Any]) -> R:
        return self._insert(tuple(values)).first_or_not_found(connection, **new_parameters(values))

    def insert_within(
        self, connection: SupportsExecute, owner: Owner, quota: int, values: Mapping[str, Any]
    ) -> R | None:
        """Insert a row, unless the owner has ``quota`` rows.

        An earlier statement of the transaction has to lock what serializes concurrent insertions.
        """
        parameters = {**owner, "quota": quota, **new_parameters(values)}
        return self._insert_within(tuple(values)).first(connection, **parameters)

    def update(
        self, connection: SupportsExecute, owner: Owner, row_id: int, values: Mapping[str, Any]
    ) -> R:
        """Set some columns of a row and return it. Raises as :meth:`lock`."""
        parameters = {**owner, "row_id": row_id, **new_parameters(values)}
        return self._update(tuple(values)).first_or_not_found(connection, **parameters)

    def delete(self, connection: SupportsExecute, owner: Owner, row_id: int) -> None:
        """Delete a row. Raises as :meth:`lock`."""
        if not self._delete.execute(connection, **owner, row_id=row_id):
            raise NotFound

    def _compile_insert(self, names: tuple[str, ...]) -> Statement[R]:
        statement = sa.insert(self.model.__table__).values(new_values(self.model, names))
        return Statement(statement.returning(*self._columns), self.row)

    def _compile_insert_within(self, names: tuple[str, ...]) -> Statement[R]:
        new = sa.select(*new_values(self.model, names).values()).where(self._has_room)
        statement = sa.insert(self.model.__table__)
        statement = statement.from_select(list(names), new, include_defaults=False)
        return Statement(statement.returning(*self._columns), self.row)

    def _compile_update(self, names: tuple[str, ...]) -> Statement[R]:
        statement = sa.update(self.model.__table__).where(*self._by_id)
        values = {**new_values(self.model, names), **self._set_on_update}
        return Statement(statement.values(values).returning(*self._updated_columns), self.row)
