"""The tables of imports, and of what they made."""

import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, String, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from jobtracker.db.base import Base, enum_check, identity, timestamp

MAX_FILENAME = 255


class ImportKind(StrEnum):
    ARCHIVE = "archive"
    CSV = "csv"


class ImportState(StrEnum):
    #: The file is to be uploaded, and then to be checked.
    PENDING = "pending"
    CHECKING = "checking"
    CHECKED = "checked"
    RUNNING = "running"
    DONE = "done"
    #: The file cannot be imported, which the report explains; nothing was made.
    FAILED = "failed"
    UNDOING = "undoing"
    UNDONE = "undone"


class OnDuplicate(StrEnum):
    """What becomes of a thing in the file that the user has already."""

    SKIP = "skip"
    ADD = "add"
    UPDATE = "update"


class Import(Base):
    """A file that is brought in.

    A trigger of the table inserts the key of a deleted row into ``object_deletions``.
    """

    __tablename__ = "imports"
    __table_args__ = (
        ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),
        enum_check("kind", ImportKind),
        enum_check("state", ImportState),
        enum_check("on_duplicate", OnDuplicate),
        CheckConstraint("size_bytes > 0", name="size_bytes"),
        # The order of the list.
        Index(None, "user_id", "created_at", "id"),
        # The sweeper's search for those whose file is to be deleted.
        Index("ix_imports_object", "created_at", postgresql_where=text("object_key IS NOT NULL")),
    )

    user_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    id: Mapped[int] = identity()
    kind: Mapped[str]
    state: Mapped[str] = mapped_column(server_default=ImportState.PENDING)
    filename: Mapped[str] = mapped_column(String(MAX_FILENAME))
    size_bytes: Mapped[int]
    #: Of the file in S3, as long as it is there.
    object_key: Mapped[str | None]
    upload_expires_at: Mapped[datetime.datetime | None]
    #: Of the object that was checked.
    etag: Mapped[str | None]
    #: Where the rows of the file come from: :class:`ImportSource`.
    source: Mapped[str | None]
    on_duplicate: Mapped[str | None]
    #: What a check found, and what a run made.
    report: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    #: The jobs and documents that are checked, or imported.
    done: Mapped[int] = mapped_column(server_default="0")
    total: Mapped[int | None]
    created_at: Mapped[datetime.datetime] = timestamp()
    finished_at: Mapped[datetime.datetime | None]


class ImportSource(Base):
    """A row of a source, and the row that stands for it here."""

    __tablename__ = "import_sources"
    __table_args__ = (
        ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),
        CheckConstraint("kind ~ '^[a-z]+(_[a-z]+)*$'", name="kind"),
        # What an import made.
        Index(
            "ix_import_sources_import",
            *("user_id", "import_id", "kind", "row_id"),
            postgresql_where=text("import_id IS NOT NULL"),
        ),
    )

    user_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    #: An account of an installation, or a file.
    source: Mapped[str] = mapped_column(primary_key=True)
    #: As in :attr:`jobtracker.db.trash.Trashable.by_kind`.
    kind: Mapped[str] = mapped_column(primary_key=True)
    #: The id that the row has there.
    source_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    #: The id that it has here. Without a foreign key: the row can have been deleted since.
    row_id: Mapped[int]
    #: The import that made the row; None for one that was there before.
    import_id: Mapped[int | None]
