"""The SQL of the import of CSV files: all rows of a file in a few statements."""

import datetime
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TEXT

from jobtracker.csv_imports import headers
from jobtracker.db.base import NOW
from jobtracker.db.connections import SupportsExecute
from jobtracker.db.statements import Command, ScalarStatement, Statement, columns_of, new_parameters
from jobtracker.history.models import JobStep
from jobtracker.imports.models import Import, ImportKind, ImportState
from jobtracker.jobs.models import Job
from jobtracker.jobs.queries import COLUMNS, JobRow
from jobtracker.notes.models import Note
from jobtracker.renderer import json_dumps

R = TypeVar("R")

#: Rows of one statement, which has to end within the setting ``sqlalchemy.statement_timeout``.
BATCH = 100

#: The columns that a row can set.
FIELDS = tuple(field for field in headers.FIELDS if field != "notes")
JOB = ("id", *FIELDS)


class JobOfRow(NamedTuple):
    """The job of a row."""

    row: int
    #: Validated, with the defaults of those that are blank.
    fields: dict[str, Any]
    #: The names of those that are not blank.
    given: frozenset[str]
    note: str | None

    @property
    def given_of_duplicate(self) -> frozenset[str]:
        """Those that a row sets of what it repeats."""
        return self.given - {"company_name", "job_title"}


class RowError(NamedTuple):
    """Why a row cannot be imported."""

    row: int | None
    loc: list[str]
    msg: str


class ExistingJob(NamedTuple):
    id: int
    company_name: str
    job_title: str
    applied_date: datetime.date | None


class NewNote(NamedTuple):
    """The note of a row, None if it has none, and the id of the job."""

    row: int
    job_id: int
    body: str | None


class JobState(NamedTuple):
    """The job that a row repeats."""

    row: int
    notes: int
    steps: int
    #: Whether it has a note with the same text.
    has_note: bool


_USER_ID = sa.bindparam("user_id", type_=sa.BigInteger)
_IDS = sa.bindparam("ids", type_=ARRAY(sa.BigInteger))
_OF_USER = (Job.user_id == _USER_ID, Job.trashed_at.is_(None))

_EXISTING = Statement(sa.select(*columns_of(Job, ExistingJob)).where(*_OF_USER), ExistingJob)
_LOCK = Statement(
    sa.select(*COLUMNS)
    .where(*_OF_USER, Job.id == sa.any_(_IDS))
    .order_by(Job.id)
    .with_for_update(key_share=True),
    JobRow,
)


def _records(**columns: Any) -> Any:
    """The parameter ``rows``, a JSON array of objects, as a table."""
    rows = sa.func.jsonb_to_recordset(sa.bindparam("rows", type_=JSONB))
    named = [sa.column(name, type_) for name, type_ in columns.items()]
    return rows.table_valued(*named, name="rows").render_derived(with_types=True)


def _of_job(model: Any, job_id: Any) -> tuple[Any, ...]:
    return model.user_id == _USER_ID, model.application_id == job_id


_NOTES = _records(row=sa.BigInteger(), job_id=sa.BigInteger(), body=TEXT())
_LIVE_NOTES = (*_of_job(Note, _NOTES.c.job_id), Note.trashed_at.is_(None))
_STATES = Statement(
    sa.select(
        _NOTES.c.row,
        sa.select(sa.func.count()).where(*_LIVE_NOTES).scalar_subquery(),
        sa.select(sa.func.count()).where(*_of_job(JobStep, _NOTES.c.job_id)).scalar_subquery(),
        sa.select(Note.id).where(*_LIVE_NOTES, Note.body == _NOTES.c.body).exists(),
    ),
    JobState,
)
_INSERT_NOTES = ScalarStatement[int](
    sa.insert(Note.__table__)
    .from_select(
        ["user_id", "application_id", "body"],
        sa.select(_USER_ID, _NOTES.c.job_id, _NOTES.c.body).order_by(_NOTES.c.row),
        include_defaults=False,
    )
    .returning(Note.id)
)

_TYPES = {name: TEXT() if name != "tags" else ARRAY(TEXT) for name in FIELDS} | {
    name: Job.__table__.c[name].type
    for name in ("applied_date", "next_action_at", "last_action_at")
}
_JOBS = _records(id=sa.BigInteger(), **_TYPES)
# The identity column counts in this order, so that the ids have the order of the rows.
_INSERT_JOBS = ScalarStatement[int](
    sa.insert(Job.__table__)
    .from_select(
        ["user_id", *FIELDS],
        sa.select(_USER_ID, *(_JOBS.c[name] for name in FIELDS)).order_by(_JOBS.c.id),
        include_defaults=False,
    )
    .returning(Job.id)
)
_UPDATE_JOBS = Command(
    sa.update(Job.__table__)
    .where(*_OF_USER, Job.id == _JOBS.c.id)
    .values(
        {name: _JOBS.c[name] for name in FIELDS}
        | {"last_activity_at": sa.func.greatest(Job.last_activity_at, NOW)}
    )
)
_INSERT_IMPORT = ScalarStatement[int](
    sa.insert(Import.__table__)
    .values(
        user_id=_USER_ID,
        kind=ImportKind.CSV,
        state=ImportState.DONE,
        finished_at=NOW,
        filename=sa.bindparam("new_filename"),
        size_bytes=sa.bindparam("new_size_bytes"),
        on_duplicate=sa.bindparam("new_on_duplicate"),
        report=sa.bindparam("new_report", type_=JSONB),
        done=sa.bindparam("new_total"),
        total=sa.bindparam("new_total"),
    )
    .returning(Import.id)
)


def existing_jobs(connection: SupportsExecute, user_id: int) -> list[ExistingJob]:
    return _EXISTING.all(connection, user_id=user_id)


def lock_jobs(connection: SupportsExecute, user_id: int, ids: Sequence[int]) -> list[JobRow]:
    """Those of the jobs that still exist, locked until the end of the transaction."""
    return _LOCK.all(connection, user_id=user_id, ids=list(ids))


def states_of_jobs(
    connection: SupportsExecute, user_id: int, notes: Sequence[NewNote]
) -> dict[int, JobState]:
    """The states of the jobs of notes, by the notes' rows."""
    states = _STATES.all(connection, user_id=user_id, rows=_json(notes))
    return {state.row: state for state in states}


def insert_jobs(
    connection: SupportsExecute, user_id: int, jobs: Sequence[dict[str, Any]]
) -> list[int]:
    """Insert jobs with the columns FIELDS; return their ids in the same order."""
    ids: list[int] = []
    numbered = [{**job, "id": number} for number, job in enumerate(jobs)]
    for batch in _batches(numbered):
        rows = json_dumps(batch).decode()
        ids += sorted(_INSERT_JOBS.all(connection, user_id=user_id, rows=rows))
    return ids


def update_jobs(connection: SupportsExecute, user_id: int, jobs: Sequence[dict[str, Any]]) -> None:
    """Set the columns FIELDS of the jobs of the given ids, as an activity of the user."""
    for batch in _batches(jobs):
        _UPDATE_JOBS.execute(connection, user_id=user_id, rows=json_dumps(batch).decode())


def insert_notes(
    connection: SupportsExecute, user_id: int, notes: Sequence[NewNote]
) -> dict[int, int]:
    """Insert notes; return their ids by their rows."""
    ids: dict[int, int] = {}
    for batch in _batches(sorted(notes)):
        in_order = sorted(_INSERT_NOTES.all(connection, user_id=user_id, rows=_json(batch)))
        ids |= zip((note.row for note in batch), in_order, strict=True)
    return ids


def insert_import(
    connection: SupportsExecute, user_id: int, *, report: dict[str, int], **values: Any
) -> int:
    """Insert an import that is done, and return its id."""
    parameters = new_parameters({**values, "report": json_dumps(report).decode()})
    return _INSERT_IMPORT.first_or_not_found(connection, user_id=user_id, **parameters)


def _batches(rows: Sequence[R]) -> Iterator[Sequence[R]]:
    for begin in range(0, len(rows), BATCH):
        yield rows[begin : begin + BATCH]


def _json(notes: Sequence[NewNote]) -> str:
    return json_dumps([note._asdict() for note in notes]).decode()
