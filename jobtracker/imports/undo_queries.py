"""The SQL that puts what an import made into the trash, some rows in each transaction."""

import functools
from typing import Any

import sqlalchemy as sa

from jobtracker.db.base import NOW, USER_ID
from jobtracker.db.connections import SupportsExecute
from jobtracker.db.statements import Command, ScalarStatement
from jobtracker.db.trash import Trashable, TrashReason
from jobtracker.imports.models import ImportSource
from jobtracker.jobs.models import Job, JobChild

# Rows of one transaction, and jobs, whose words a trigger moves.
BATCH, JOBS = 500, 50

_IMPORT_ID = sa.bindparam("import_id", type_=sa.BigInteger)


def _is_made(kind: str) -> list[Any]:
    """The conditions of rows that an import made and that are not in the trash, nor their jobs."""
    model = Trashable.by_kind[kind]
    made = sa.select(ImportSource.row_id).where(
        ImportSource.user_id == USER_ID,
        ImportSource.import_id == _IMPORT_ID,
        ImportSource.kind == sa.literal_column(f"'{kind}'", sa.Text),
    )
    conditions = [model.user_id == USER_ID, model.trashed_at.is_(None), model.id.in_(made)]
    if issubclass(model, JobChild):
        job = sa.select(Job.id).where(Job.user_id == USER_ID, Job.id == model.application_id)
        conditions.append(job.where(Job.trashed_at.is_(None)).exists())
    return conditions


@functools.cache
def _count(kind: str) -> ScalarStatement[int]:
    return ScalarStatement(sa.select(sa.func.count()).where(*_is_made(kind)))


@functools.cache
def _trash(kind: str) -> Command:
    model = Trashable.by_kind[kind]
    limit = sa.bindparam("limit", type_=sa.BigInteger)
    found = sa.select(model.id).where(*_is_made(kind)).order_by(model.id).limit(limit)
    locked = found.with_for_update(key_share=True, of=model.__table__).cte("locked")
    return Command(
        sa.update(model.__table__)
        .where(model.user_id == USER_ID, model.id.in_(sa.select(locked.c.id)))
        .values(trashed_at=NOW, trash_reason=TrashReason.IMPORT)
    )


def count_made(connection: SupportsExecute, user_id: int, import_id: int, kind: str) -> int:
    """The number of rows of a kind that an import made and that are not in the trash."""
    parameters = {"user_id": user_id, "import_id": import_id}
    return _count(kind).first_or_not_found(connection, **parameters)


def trash_batch(connection: SupportsExecute, user_id: int, import_id: int, kind: str) -> int:
    """Put rows of a kind that an import made into the trash; return their number, 0 when none is
    left. The jobs first: what belongs to them comes and goes with them."""
    parameters = {"user_id": user_id, "import_id": import_id}
    limit = JOBS if kind == Job.trash_kind else BATCH
    return _trash(kind).execute(connection, **parameters, limit=limit)
