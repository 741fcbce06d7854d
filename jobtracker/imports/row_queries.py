"""The SQL of the rows of archives: which of them are here, and how they come here."""

import datetime
import functools
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from jobtracker.archive.kinds import ACTIVITY, DOCUMENTS, JOBS, Kind
from jobtracker.db.base import sql_array
from jobtracker.db.connections import SupportsExecute
from jobtracker.db.statements import Command, Statement
from jobtracker.db.trash import Trashable, TrashReason
from jobtracker.documents.models import SINGLE_VALUED, Document, DocumentStatus
from jobtracker.history.models import JobStep
from jobtracker.imports.models import ImportSource
from jobtracker.jobs.models import Job
from jobtracker.renderer import json_dumps

#: The columns that an archive does not have.
_OTHERS = {DOCUMENTS.name: ("upload_key", "object_key", "upload_expires_at")}
#: Those that an update leaves.
_KEPT = {"id", "application_id", "created_at", "updated_at", "version", "restored_at"}


class KnownRow(NamedTuple):
    """A row of the archive that is here."""

    source_id: int
    id: int
    #: None of a job, and of a saved view.
    job_id: int | None
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


class _Id(NamedTuple):
    id: int


class _JobCount(NamedTuple):
    job_id: int
    number: int


class StepRow(NamedTuple):
    job_id: int
    status: str
    at: datetime.datetime
    created_at: datetime.datetime
    origin: str | None


class EventRow(NamedTuple):
    job_id: int
    type: str
    message: str
    created_at: datetime.datetime


_USER_ID = sa.bindparam("user_id", type_=sa.BigInteger)
_SOURCE = sa.bindparam("source", type_=sa.Text)
_IDS = sa.bindparam("ids", type_=ARRAY(sa.BigInteger))


def _trash_kind(kind: Kind) -> str:
    name: str = kind.model.trash_kind
    return name


def _is_here(model: Any) -> Any:
    return model.trash_reason.is_distinct_from(TrashReason.PURGE.value)


def _known_columns(model: Any) -> list[Any]:
    job_id = model.application_id if hasattr(model, "application_id") else sa.null()
    is_undone = model.trash_reason.is_not_distinct_from(TrashReason.IMPORT.value)
    return [model.id, sa.cast(job_id, sa.BigInteger), model.trashed_at.is_(None), is_undone]


@functools.cache
def _find_known(kind: Kind) -> Statement[KnownRow]:
    model = kind.model
    is_row = sa.and_(model.user_id == ImportSource.user_id, model.id == ImportSource.row_id)
    found = sa.select(ImportSource.source_id, *_known_columns(model)).select_from(
        sa.join(ImportSource, model, is_row)
    )
    return Statement(
        found.where(
            ImportSource.user_id == _USER_ID,
            model.user_id == _USER_ID,
            ImportSource.source == _SOURCE,
            ImportSource.kind == sa.literal_column(f"'{_trash_kind(kind)}'", sa.Text),
            ImportSource.source_id == sa.any_(_IDS),
            _is_here(model),
        ),
        KnownRow,
    )


_CREATED_AT = sa.bindparam("created_at", type_=ARRAY(sa.DateTime(timezone=True)))


@functools.cache
def _own(kind: Kind) -> Statement[KnownRow]:
    model = kind.model
    found = sa.select(model.id, *_known_columns(model))
    # After a restore of the database, the id of a lost row can be given again.
    given = sa.func.unnest(_IDS, _CREATED_AT).table_valued("id", "created_at").render_derived()
    is_given = sa.and_(model.id == given.c.id, model.created_at == given.c.created_at)
    return Statement(
        found.join(given, is_given).where(model.user_id == _USER_ID, _is_here(model)), KnownRow
    )


_JOBS_OF_SOURCE = sa.select(ImportSource.row_id).where(
    ImportSource.user_id == _USER_ID, ImportSource.source == _SOURCE, ImportSource.kind == "job"
)
_EXISTING_JOBS = Statement(
    sa.select(Job.id, Job.company_name, Job.job_title, Job.applied_date, Job.job_url).where(
        Job.user_id == _USER_ID, Job.trashed_at.is_(None), Job.id.not_in(_JOBS_OF_SOURCE)
    ),
    ExistingJob,
)
_LOCK_JOBS = Statement(
    sa.select(Job.id)
    .where(Job.user_id == _USER_ID, Job.id == sa.any_(_IDS), Job.trashed_at.is_(None))
    .order_by(Job.id)
    .with_for_update(key_share=True),
    _Id,
)
_STEPS = Statement(
    sa.select(
        JobStep.application_id, JobStep.status, JobStep.at, JobStep.created_at, JobStep.origin
    )
    .where(JobStep.user_id == _USER_ID, JobStep.application_id == sa.any_(_IDS))
    .order_by(JobStep.application_id, JobStep.at, JobStep.id),
    StepRow,
)
_DELETE_STEPS = Command(
    sa.delete(JobStep.__table__).where(
        JobStep.user_id == _USER_ID, JobStep.application_id == sa.any_(_IDS)
    )
)
_EVENT = ACTIVITY.model
_EVENTS = Statement(
    sa.select(_EVENT.application_id, _EVENT.type, _EVENT.message, _EVENT.created_at).where(
        _EVENT.user_id == _USER_ID, _EVENT.application_id == sa.any_(_IDS)
    ),
    EventRow,
)
_SINGLE_DOCUMENTS: Statement[Any] = Statement(
    sa.select(Document.application_id, Document.doc_type).where(
        Document.user_id == _USER_ID,
        Document.application_id == sa.any_(_IDS),
        Document.trashed_at.is_(None),
        Document.status == sa.literal_column(f"'{DocumentStatus.UPLOADED}'", sa.Text),
        Document.doc_type == sa.any_(sql_array(SINGLE_VALUED)),
    ),
    tuple,
)


@functools.cache
def _counts(kind: Kind) -> Statement[_JobCount]:
    model = kind.model
    found = sa.select(model.application_id, sa.func.count())
    conditions = [model.user_id == _USER_ID, model.application_id == sa.any_(_IDS)]
    if issubclass(model, Trashable):
        conditions.append(model.trashed_at.is_(None))
    return Statement(found.where(*conditions).group_by(model.application_id), _JobCount)


def _given(kind: Kind, names: Sequence[str]) -> Any:
    """The given rows as a table, by the columns that are named and ``place``, their number."""
    types = {column.name: column.type for column in kind.model.__table__.c}
    # A length would be another cast.
    columns = [
        sa.column(name, sa.Text() if isinstance(types[name], sa.String) else types[name])
        for name in names
    ]
    rows = sa.cast(sa.bindparam("rows", type_=sa.Text), sa.JSON)
    given = sa.func.json_to_recordset(rows).table_valued(sa.column("place", sa.Integer), *columns)
    return given.render_derived(name="given", with_types=True)


def _inserted_columns(kind: Kind) -> list[str]:
    names = [column.name for column in kind.columns if column.name != "id"]
    return [*names, *_OTHERS.get(kind.name, ())]


@functools.cache
def _insert(kind: Kind) -> Statement[_Id]:
    names = _inserted_columns(kind)
    given = _given(kind, names)
    # Ids are given in the order of the rows.
    rows = sa.select(_USER_ID, *(given.c[name] for name in names)).order_by(given.c.place)
    table = kind.model.__table__
    inserted = sa.insert(table).from_select(["user_id", *names], rows, include_defaults=False)
    return Statement(inserted.returning(table.c.id), _Id)


@functools.cache
def _update(kind: Kind) -> Statement[_Id]:
    names = [
        column.name
        for column in kind.columns
        if column.name not in _KEPT and column.name not in _trash_columns(kind)
    ]
    table, given = kind.model.__table__, _given(kind, ["id", *names])
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
    is_given = (table.c.user_id == _USER_ID, table.c.id == given.c.id)
    return Statement(updated.where(*is_given, sa.or_(*changed)).returning(table.c.id), _Id)


def _trash_columns(kind: Kind) -> tuple[str, ...]:
    columns: tuple[str, ...] = kind.model.TRASH_COLUMNS
    return columns


@functools.cache
def _trash_jobs() -> Command:
    given = _given(JOBS, ["id", *Trashable.TRASH_COLUMNS])
    table = Job.__table__
    trashed = sa.update(table).values({name: given.c[name] for name in Trashable.TRASH_COLUMNS})
    return Command(trashed.where(table.c.user_id == _USER_ID, table.c.id == given.c.id))


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

    :param given: the rows of the source
    :param is_own: whether the source is the user's own account: ids are those that rows have here
    """
    by_id = {row["id"]: row for row in given}
    if not by_id:
        return {}
    parameters = {"user_id": user_id, "ids": [*by_id]}
    created_at = [row["created_at"] for row in by_id.values()]
    rows = _own(kind).all(connection, **parameters, created_at=created_at) if is_own else []
    rows += _find_known(kind).all(connection, source=source, **parameters)
    return {
        row.source_id: row
        for row in rows
        if not row.is_undone or by_id[row.source_id]["trash_reason"] == TrashReason.IMPORT
    }


def existing_jobs(connection: SupportsExecute, user_id: int, source: str) -> list[ExistingJob]:
    """The jobs of a user that do not stand for ones of a source, without those in the trash."""
    return _EXISTING_JOBS.all(connection, user_id=user_id, source=source)


def lock_jobs(connection: SupportsExecute, user_id: int, ids: Collection[int]) -> set[int]:
    """Lock jobs; return the ids of those that are not in the trash."""
    return {row.id for row in _LOCK_JOBS.all(connection, user_id=user_id, ids=[*ids])}


def counts(
    connection: SupportsExecute, user_id: int, kind: Kind, ids: Collection[int]
) -> dict[int, int]:
    """The numbers of rows of a kind below jobs, without those in the trash."""
    return dict(_counts(kind).all(connection, user_id=user_id, ids=[*ids]))


def steps(connection: SupportsExecute, user_id: int, ids: Collection[int]) -> list[StepRow]:
    """The steps of jobs, in their order."""
    return _STEPS.all(connection, user_id=user_id, ids=[*ids])


def delete_steps(connection: SupportsExecute, user_id: int, ids: Collection[int]) -> None:
    """Delete the steps of jobs."""
    _DELETE_STEPS.execute(connection, user_id=user_id, ids=[*ids])


def events(connection: SupportsExecute, user_id: int, ids: Collection[int]) -> list[EventRow]:
    """The activity of jobs."""
    return _EVENTS.all(connection, user_id=user_id, ids=[*ids])


def insert(
    connection: SupportsExecute, user_id: int, kind: Kind, rows: Sequence[Mapping[str, Any]]
) -> list[int]:
    """Insert rows as they are, and return their ids, which are in the order of the rows."""
    if not rows:
        return []
    found = _insert(kind).all(connection, user_id=user_id, rows=_as_json(rows))
    return sorted(row.id for row in found)


def update(
    connection: SupportsExecute, user_id: int, kind: Kind, rows: Sequence[Mapping[str, Any]]
) -> list[int]:
    """Set what differs, but for times and the trash; return the ids of the rows that changed."""
    if not rows:
        return []
    return [row.id for row in _update(kind).all(connection, user_id=user_id, rows=_as_json(rows))]


def trash_jobs(
    connection: SupportsExecute, user_id: int, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Put jobs into the trash, with the times and reasons of the rows."""
    if rows:
        _trash_jobs().execute(connection, user_id=user_id, rows=_as_json(rows))


def _as_json(rows: Iterable[Mapping[str, Any]]) -> str:
    return json_dumps([{"place": place, **row} for place, row in enumerate(rows)]).decode()


def single_documents(
    connection: SupportsExecute, user_id: int, ids: Collection[int]
) -> set[tuple[int, str]]:
    """The jobs that have a document of a type of which they can have one, with these types."""
    if not ids:
        return set()
    found = _SINGLE_DOCUMENTS.all(connection, user_id=user_id, ids=[*ids])
    return {(job_id, doc_type) for job_id, doc_type in found}
