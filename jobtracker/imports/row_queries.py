"""The SQL of the rows of archives: which of them are here, and how they come here."""

import datetime
import functools
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from jobtracker.archive.kinds import ACTIVITY, DOCUMENTS, JOBS, Kind
from jobtracker.db.base import IDS, USER_ID
from jobtracker.db.connections import SupportsExecute
from jobtracker.db.statements import Command, ScalarStatement, Statement, columns_of
from jobtracker.db.trash import Trashable, TrashReason
from jobtracker.history.models import JobStep
from jobtracker.imports.models import ImportSource
from jobtracker.jobs.models import Job
from jobtracker.renderer import json_dumps

# Rows of one statement, whose time is limited: a job can have many more.
MAX_INSERTED = 1000
#: The columns that an archive does not have.
_OTHERS = {DOCUMENTS.name: ("upload_key", "object_key", "upload_expires_at")}
#: Those that an update leaves.
_KEPT = {"id", "application_id", "created_at", "updated_at", "version", "restored_at"}


class KnownRow(NamedTuple):
    """A row of the archive that is here."""

    source_id: int
    id: int
    #: Of a job or a view, whether it is not in the trash.
    is_live: bool
    #: Whether it is in the trash since an import was undone.
    is_undone: bool


class ExistingJob(NamedTuple):
    id: int
    company_name: str
    job_title: str
    applied_date: datetime.date | None
    job_url: str | None


class _JobCount(NamedTuple):
    job_id: int
    number: int


class StepRow(NamedTuple):
    application_id: int
    status: str
    at: datetime.datetime
    created_at: datetime.datetime
    origin: str | None


class EventRow(NamedTuple):
    application_id: int
    type: str
    message: str
    created_at: datetime.datetime


_SOURCE = sa.bindparam("source", type_=sa.Text)
_CREATED_AT = sa.bindparam("created_at", type_=ARRAY(sa.DateTime(timezone=True)))


def _find(kind: Kind, source_id: Any) -> sa.Select[Any]:
    """The rows of a kind that are here.

    :param source_id: the column of the ids that they have in the source
    """
    model = kind.model
    is_undone = model.trash_reason.is_not_distinct_from(TrashReason.IMPORT.value)
    return sa.select(source_id, model.id, model.trashed_at.is_(None), is_undone).where(
        model.user_id == USER_ID,
        source_id == sa.any_(IDS),
        model.trash_reason.is_distinct_from(TrashReason.PURGE.value),
    )


@functools.cache
def _find_own(kind: Kind) -> Statement[KnownRow]:
    model = kind.model
    # After a restore of the database, the id of a lost row can be given again.
    given = sa.func.unnest(IDS, _CREATED_AT).table_valued("id", "created_at").render_derived()
    is_given = sa.and_(model.id == given.c.id, model.created_at == given.c.created_at)
    return Statement(_find(kind, model.id).join(given, is_given), KnownRow)


@functools.cache
def _find_known(kind: Kind) -> Statement[KnownRow]:
    model = kind.model
    trash_kind = sa.literal_column(f"'{model.trash_kind}'", sa.Text)
    of_source = (
        ImportSource.user_id == USER_ID,
        ImportSource.source == _SOURCE,
        ImportSource.kind == trash_kind,
    )
    is_row = sa.and_(model.user_id == ImportSource.user_id, model.id == ImportSource.row_id)
    found = _find(kind, ImportSource.source_id).where(*of_source)
    return Statement(found.select_from(sa.join(ImportSource, model, is_row)), KnownRow)


_JOBS_OF_SOURCE = sa.select(ImportSource.row_id).where(
    ImportSource.user_id == USER_ID, ImportSource.source == _SOURCE, ImportSource.kind == "job"
)
#: The jobs of a user that do not stand for ones of a source, without those in the trash.
EXISTING_JOBS = Statement(
    sa.select(*columns_of(Job, ExistingJob)).where(
        Job.user_id == USER_ID, Job.trashed_at.is_(None), Job.id.not_in(_JOBS_OF_SOURCE)
    ),
    ExistingJob,
)
#: Locks jobs that are not in the trash, and returns their ids.
LOCK_JOBS = ScalarStatement[int](
    sa.select(Job.id)
    .where(Job.user_id == USER_ID, Job.id == sa.any_(IDS), Job.trashed_at.is_(None))
    .order_by(Job.id)
    .with_for_update(key_share=True)
)
_EVENT = ACTIVITY.model


def _of_jobs(model: Any) -> tuple[Any, ...]:
    return model.user_id == USER_ID, model.application_id == sa.any_(IDS)


STEPS = Statement(sa.select(*columns_of(JobStep, StepRow)).where(*_of_jobs(JobStep)), StepRow)
DELETE_STEPS = Command(sa.delete(JobStep.__table__).where(*_of_jobs(JobStep)))
EVENTS = Statement(sa.select(*columns_of(_EVENT, EventRow)).where(*_of_jobs(_EVENT)), EventRow)


@functools.cache
def _counts(kind: Kind) -> Statement[_JobCount]:
    model = kind.model
    found = sa.select(model.application_id, sa.func.count())
    is_live = (model.trashed_at.is_(None),) if issubclass(model, Trashable) else ()
    found = found.where(*_of_jobs(model), *is_live).group_by(model.application_id)
    return Statement(found, _JobCount)


def given_rows(kind: Kind, names: Sequence[str]) -> Any:
    """The parameter ``rows``, as :func:`as_json` makes it, as a table: ``place``, and the columns
    that are named."""
    types = {column.name: column.type for column in kind.model.__table__.c}
    # A length would be another cast.
    columns = [
        sa.column(name, sa.Text() if isinstance(types[name], sa.String) else types[name])
        for name in names
    ]
    rows = sa.cast(sa.bindparam("rows", type_=sa.Text), sa.JSON)
    given = sa.func.json_to_recordset(rows).table_valued(sa.column("place", sa.Integer), *columns)
    return given.render_derived(name="given", with_types=True)


@functools.cache
def _insert(kind: Kind, names: tuple[str, ...] = ()) -> ScalarStatement[int]:
    if not names:
        exported = (column.name for column in kind.columns if column.name != "id")
        names = (*exported, *_OTHERS.get(kind.name, ()))
    given = given_rows(kind, names)
    # Ids are given in the order of the rows.
    rows = sa.select(USER_ID, *(given.c[name] for name in names)).order_by(given.c.place)
    table = kind.model.__table__
    inserted = sa.insert(table).from_select(["user_id", *names], rows, include_defaults=False)
    return ScalarStatement(inserted.returning(table.c.id))


@functools.cache
def _update(kind: Kind) -> ScalarStatement[int]:
    names = [
        column.name
        for column in kind.columns
        if column.name not in _KEPT and column.name not in _trash_columns(kind)
    ]
    table, given = kind.model.__table__, given_rows(kind, ["id", *names])
    values: dict[str, Any] = {name: given.c[name] for name in names}
    if kind is JOBS:
        values["last_activity_at"] = sa.func.greatest(
            table.c.last_activity_at, given.c.last_activity_at
        )
    else:
        values["updated_at"] = sa.func.statement_timestamp()
    # json cannot be compared.
    changed = (
        sa.cast(table.c[name], sa.Text).is_distinct_from(sa.cast(given.c[name], sa.Text))
        if isinstance(table.c[name].type, sa.JSON)
        else table.c[name].is_distinct_from(given.c[name])
        for name in names
        if name != "last_activity_at"
    )
    updated = sa.update(table).values(values)
    is_given = (table.c.user_id == USER_ID, table.c.id == given.c.id)
    return ScalarStatement(updated.where(*is_given, sa.or_(*changed)).returning(table.c.id))


def _trash_columns(kind: Kind) -> tuple[str, ...]:
    columns: tuple[str, ...] = kind.model.TRASH_COLUMNS
    return columns


@functools.cache
def _trash_jobs() -> Command:
    given = given_rows(JOBS, ["id", *Trashable.TRASH_COLUMNS])
    table = Job.__table__
    trashed = sa.update(table).values({name: given.c[name] for name in Trashable.TRASH_COLUMNS})
    return Command(trashed.where(table.c.user_id == USER_ID, table.c.id == given.c.id))


def known(
    connection: SupportsExecute,
    user_id: int,
    source: str,
    kind: Kind,
    given: Iterable[Mapping[str, Any]],
    *,
    is_own: bool,
) -> dict[int, KnownRow]:
    """The rows of a source that are here, by the ids that they have there. Those are not that an
    import made which was undone, unless they were in the trash for that already.

    :param is_own: whether the source is the user's own account: ids are those that rows have here
    """
    by_id = {row["id"]: row for row in given}
    if not by_id:
        return {}
    parameters = {"user_id": user_id, "ids": [*by_id]}
    created_at = [row["created_at"] for row in by_id.values()]
    rows = _find_own(kind).all(connection, **parameters, created_at=created_at) if is_own else []
    rows += _find_known(kind).all(connection, source=source, **parameters)
    return {
        row.source_id: row
        for row in rows
        if not row.is_undone or by_id[row.source_id]["trash_reason"] == TrashReason.IMPORT
    }


def counts(
    connection: SupportsExecute, user_id: int, kind: Kind, ids: Collection[int]
) -> dict[int, int]:
    """The numbers of rows of a kind below jobs, without those in the trash."""
    return dict(_counts(kind).all(connection, user_id=user_id, ids=[*ids]))


def insert(
    connection: SupportsExecute,
    user_id: int,
    kind: Kind,
    rows: Sequence[Mapping[str, Any]],
    names: tuple[str, ...] = (),
    *,
    batch: int = MAX_INSERTED,
) -> list[int]:
    """Insert rows as they are, and return their ids, which are in the order of the rows.

    :param names: of the columns; by default all that an archive has
    :param batch: rows of one statement
    """
    ids: list[int] = []
    for start in range(0, len(rows), batch):
        given = as_json(rows[start : start + batch])
        ids += sorted(_insert(kind, names).all(connection, user_id=user_id, rows=given))
    return ids


def update(
    connection: SupportsExecute, user_id: int, kind: Kind, rows: Sequence[Mapping[str, Any]]
) -> list[int]:
    """Set what differs, but for times and the trash; return the ids of the rows that changed."""
    if not rows:
        return []
    return _update(kind).all(connection, user_id=user_id, rows=as_json(rows))


def trash_jobs(
    connection: SupportsExecute, user_id: int, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Put jobs into the trash, with the times and reasons of the rows."""
    if rows:
        _trash_jobs().execute(connection, user_id=user_id, rows=as_json(rows))


def as_json(rows: Iterable[Mapping[str, Any]]) -> str:
    return json_dumps([{"place": place, **row} for place, row in enumerate(rows)]).decode()
