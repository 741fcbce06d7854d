"""The SQL of the import of CSV files: all rows of a file in a few statements."""

import datetime
from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from jobtracker.archive.kinds import JOBS, NOTES
from jobtracker.csv_imports import headers
from jobtracker.db.base import IDS, NOW, USER_ID
from jobtracker.db.connections import SupportsExecute
from jobtracker.db.statements import Command, Statement, columns_of
from jobtracker.history.models import JobStep
from jobtracker.imports import row_queries
from jobtracker.jobs.models import Job
from jobtracker.jobs.queries import COLUMNS, JobRow
from jobtracker.notes.models import Note

#: Rows of one statement, which has to end within the setting ``sqlalchemy.statement_timeout``.
BATCH = 100

#: The columns that a row can set.
FIELDS = tuple(field for field in headers.FIELDS if field != "notes")
JOB = ("id", *FIELDS)
_NOTE = ("application_id", "body")


class JobOfRow(NamedTuple):
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

    place: int
    notes: int
    steps: int
    #: Whether it has a note with the same text.
    has_note: bool


_OF_USER = (Job.user_id == USER_ID, Job.trashed_at.is_(None))

EXISTING_JOBS = Statement(sa.select(*columns_of(Job, ExistingJob)).where(*_OF_USER), ExistingJob)
#: Those of jobs that still exist, which are locked until the end of the transaction.
LOCK_JOBS = Statement(
    sa.select(*COLUMNS)
    .where(*_OF_USER, Job.id == sa.any_(IDS))
    .order_by(Job.id)
    .with_for_update(key_share=True),
    JobRow,
)


def _of_job(model: Any, job_id: Any) -> tuple[Any, ...]:
    return model.user_id == USER_ID, model.application_id == job_id


_NOTES = row_queries.given_rows(NOTES, _NOTE)
_JOB_ID = _NOTES.c.application_id
_LIVE_NOTES = (*_of_job(Note, _JOB_ID), Note.trashed_at.is_(None))
_STATES = Statement(
    sa.select(
        _NOTES.c.place,
        sa.select(sa.func.count()).where(*_LIVE_NOTES).scalar_subquery(),
        sa.select(sa.func.count()).where(*_of_job(JobStep, _JOB_ID)).scalar_subquery(),
        sa.select(Note.id).where(*_LIVE_NOTES, Note.body == _NOTES.c.body).exists(),
    ),
    JobState,
)
_JOBS = row_queries.given_rows(JOBS, JOB)
_UPDATE_JOBS = Command(
    sa.update(Job.__table__)
    .where(*_OF_USER, Job.id == _JOBS.c.id)
    .values(
        {name: _JOBS.c[name] for name in FIELDS}
        | {"last_activity_at": sa.func.greatest(Job.last_activity_at, NOW)}
    )
)


def states_of_jobs(
    connection: SupportsExecute, user_id: int, notes: Sequence[NewNote]
) -> dict[int, JobState]:
    """The states of the jobs of notes, by the notes' rows."""
    rows = row_queries.as_json(map(_note, notes))
    states = _STATES.all(connection, user_id=user_id, rows=rows)
    return {notes[state.place].row: state for state in states}


def insert_jobs(
    connection: SupportsExecute, user_id: int, jobs: Sequence[dict[str, Any]]
) -> list[int]:
    """Insert jobs with the columns FIELDS; return their ids in the same order."""
    return row_queries.insert(connection, user_id, JOBS, jobs, FIELDS, batch=BATCH)


def update_jobs(connection: SupportsExecute, user_id: int, jobs: Sequence[dict[str, Any]]) -> None:
    """Set the columns FIELDS of the jobs of the given ids, as an activity of the user."""
    for begin in range(0, len(jobs), BATCH):
        rows = row_queries.as_json(jobs[begin : begin + BATCH])
        _UPDATE_JOBS.execute(connection, user_id=user_id, rows=rows)


def insert_notes(
    connection: SupportsExecute, user_id: int, notes: Sequence[NewNote]
) -> dict[int, int]:
    """Insert notes; return their ids by their rows."""
    in_order = sorted(notes)
    rows = [*map(_note, in_order)]
    ids = row_queries.insert(connection, user_id, NOTES, rows, _NOTE, batch=BATCH)
    return dict(zip((note.row for note in in_order), ids, strict=True))


def _note(note: NewNote) -> dict[str, Any]:
    return {"application_id": note.job_id, "body": note.body}
