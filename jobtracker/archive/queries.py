"""The SQL of archives."""

import contextlib
import uuid
from collections.abc import Iterator
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, sessionmaker

from jobtracker.archive.kinds import ARCHIVE_KINDS, DOCUMENTS, Kind
from jobtracker.archive.models import ArchiveSource
from jobtracker.db.base import USER_ID
from jobtracker.db.connections import FIRST_STATEMENT, SupportsExecute
from jobtracker.db.statements import Command, ScalarStatement
from jobtracker.db.trash import Trashable, in_trash
from jobtracker.documents.models import Document, DocumentStatus
from jobtracker.jobs.models import Job
from jobtracker.users.models import User

# Rows that a cursor reads at a time. With the longest texts they have 20 MB.
BATCH = 500
# Between two reads of a snapshot, files are written.
IDLE_TIMEOUT = "10min"


class Totals(NamedTuple):
    """What an archive is made of."""

    rows: dict[str, int]  # by kind
    #: Of the files of documents.
    bytes: int


_MAKE_SOURCE = Command(
    insert(ArchiveSource.__table__)
    .from_select(["user_id"], sa.select(USER_ID), include_defaults=False)
    .on_conflict_do_nothing()
)
_SOURCE = ScalarStatement[uuid.UUID](
    sa.select(ArchiveSource.source).where(ArchiveSource.user_id == USER_ID)
)


def _is_kept(model: Any) -> Any:
    """That no task is about to purge a row."""
    return sa.or_(model.trashed_at.is_(None), in_trash(model))


def _conditions(kind: Kind) -> Iterator[Any]:
    model = kind.model
    yield (model.id if model is User else model.user_id) == USER_ID
    if issubclass(model, Trashable):
        yield _is_kept(model)
    if kind.is_of_job:
        of_row = (Job.user_id == model.user_id, Job.id == model.application_id)
        yield sa.exists().where(*of_row, _is_kept(Job))
    if model is Document:
        yield model.status != DocumentStatus.PENDING  # whose file has not arrived


def _select(kind: Kind) -> Any:
    columns = [*kind.columns, *([Document.object_key] if kind is DOCUMENTS else [])]
    # So that all rows of a job are found by reading all files at the same time.
    order = [kind.model.id]
    if kind.is_of_job:
        order.insert(0, kind.model.application_id)
    return sa.select(*columns).where(*_conditions(kind)).order_by(*order)


_ROWS = {kind.name: _select(kind) for kind in ARCHIVE_KINDS}
_COUNTS = [
    sa.select(sa.func.count()).select_from(kind.model).where(*_conditions(kind)).scalar_subquery()
    for kind in ARCHIVE_KINDS
]
_TOTALS = sa.select(
    *_COUNTS,
    sa.select(sa.func.coalesce(sa.cast(sa.func.sum(Document.size_bytes), sa.BigInteger), 0))
    .where(*_conditions(DOCUMENTS), Document.status == DocumentStatus.UPLOADED)
    .scalar_subquery(),
)
_REVISION = sa.select(User.revision).where(User.id == USER_ID)


def source_of(connection: SupportsExecute, user_id: int) -> uuid.UUID:
    """The random id of the user as the source of archives, which the first call makes."""
    _MAKE_SOURCE.execute(connection, user_id=user_id)
    return _SOURCE.first_or_not_found(connection, user_id=user_id)


@contextlib.contextmanager
def snapshot(sessions: sessionmaker[Session]) -> Iterator[Session]:
    """A transaction all of whose statements see the database as it was at the first one."""
    with sessions() as session:
        connection = session.connection(
            execution_options={"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        )
        if (first := session.info.get(FIRST_STATEMENT)) is not None:
            connection.exec_driver_sql(first)
        timeout = f"SET LOCAL idle_in_transaction_session_timeout = '{IDLE_TIMEOUT}'"
        connection.execute(sa.text(timeout))
        yield session


def revision(session: Session, user_id: int) -> int | None:
    """The revision of a user; None if there is no such user."""
    return session.execute(_REVISION, {"user_id": user_id}).scalar()


def totals(session: Session, user_id: int) -> Totals:
    *numbers, bytes_ = session.execute(_TOTALS, {"user_id": user_id}).one()
    return Totals(dict(zip((kind.name for kind in ARCHIVE_KINDS), numbers, strict=True)), bytes_)


def rows(session: Session, kind: Kind, user_id: int) -> Iterator[dict[str, Any]]:
    """The rows of a kind, by a cursor of the server: those below jobs in the order of these, then
    by id. Of documents, their ``object_key`` too."""
    options = {"yield_per": BATCH}
    with session.execute(_ROWS[kind.name], {"user_id": user_id}, execution_options=options) as each:
        for row in each.mappings():
            yield dict(row)
