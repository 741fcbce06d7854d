"""The SQL of imports, and of the sources of rows."""

import datetime
from collections.abc import Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert

from jobtracker.db.base import NOW, USER_ID, sql_array
from jobtracker.db.connections import SupportsExecute
from jobtracker.db.expiry import ExpiredRows
from jobtracker.db.keyset import newest_first
from jobtracker.db.statements import Command, Repository, ScalarStatement
from jobtracker.documents import key_queries
from jobtracker.imports.models import Import, ImportSource, ImportState
from jobtracker.tasks.queries import Progress

#: The kinds of the tasks of an import.
CHECK_IMPORT, RUN_IMPORT, UNDO_IMPORT = "check_import", "run_import", "undo_import"
#: The states of those whose file was not imported.
UNUSED = (ImportState.PENDING, ImportState.CHECKING, ImportState.CHECKED, ImportState.FAILED)
#: How long a file is kept that is not imported, and a document whose file does not come, which is
#: longer than a task is tried without progress.
KEPT = datetime.timedelta(days=7)


class ImportRow(NamedTuple):
    user_id: int
    id: int
    kind: str
    state: str
    filename: str
    size_bytes: int
    object_key: str | None
    upload_expires_at: datetime.datetime | None
    etag: str | None
    source: str | None
    on_duplicate: str | None
    report: dict[str, Any] | None
    done: int
    total: int | None
    created_at: datetime.datetime
    finished_at: datetime.datetime | None

    @property
    def progress(self) -> Progress:
        return Progress(self.done, self.total)


IMPORTS = Repository(
    Import, ImportRow, owner_columns=("user_id",), order=newest_first(Import, "created_at")
)

#: Those whose file was not imported in time.
EXPIRED = ExpiredRows(
    Import,
    sa.and_(
        Import.object_key.is_not(None),
        Import.state == sa.any_(sql_array(UNUSED)),
        Import.created_at <= NOW - KEPT,
    ),
)
_COUNT_FILES = ScalarStatement[int](
    sa.select(sa.func.count()).where(
        Import.user_id == sa.bindparam("user_id"), Import.object_key.is_not(None)
    )
)
key_queries.SOURCES.append(
    key_queries.KeySource(None, Import.object_key, Import.user_id, Import.id, sa.false())
)

_IMPORT_ID = sa.bindparam("import_id", type_=sa.BigInteger)
_SOURCE, _KIND = (sa.bindparam(name, type_=sa.Text) for name in ("source", "kind"))
_SOURCE_IDS, _ROW_IDS = (
    sa.bindparam(name, type_=ARRAY(sa.BigInteger)) for name in ("source_ids", "row_ids")
)
_PAIRS = sa.func.unnest(_SOURCE_IDS, _ROW_IDS).table_valued("source_id", "row_id").render_derived()
_RECORD = insert(ImportSource.__table__).from_select(
    ["user_id", "source", "kind", "source_id", "row_id", "import_id"],
    sa.select(USER_ID, _SOURCE, _KIND, _PAIRS.c.source_id, _PAIRS.c.row_id, _IMPORT_ID),
)
_RECORD_SOURCES = Command(
    _RECORD.on_conflict_do_update(
        index_elements=["user_id", "source", "kind", "source_id"],
        set_={name: _RECORD.excluded[name] for name in ("row_id", "import_id")},
    )
)


def count_files(connection: SupportsExecute, user_id: int) -> int:
    """The number of the user's imports that have a file, or wait for one."""
    return _COUNT_FILES.first_or_not_found(connection, user_id=user_id)


def record_sources(
    connection: SupportsExecute,
    user_id: int,
    source: str,
    kind: str,
    row_ids: Mapping[int, int],
    import_id: int | None,
) -> None:
    """Store which rows stand for those of a source, in place of what is known of these.

    :param row_ids: the id of each row by the one that it has in the source
    :param import_id: that made the rows; None if they were there before
    """
    if row_ids:
        _RECORD_SOURCES.execute(
            connection,
            user_id=user_id,
            source=source,
            kind=kind,
            source_ids=[*row_ids],
            row_ids=[*row_ids.values()],
            import_id=import_id,
        )
