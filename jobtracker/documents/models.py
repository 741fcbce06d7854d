"""The tables of documents, and of the objects in S3 that are to be deleted."""

import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from jobtracker.db.base import Base, enum_check, sql_in_list, timestamp
from jobtracker.db.trash import live_index, trash_table_args
from jobtracker.jobs.models import TrashableJobChild, job_foreign_key

MAX_FILENAME = 255
MAX_CONTENT_TYPE = 255
MAX_PENDING = 5
# How long an upload can take that began before its URL expired.
UPLOAD_GRACE = datetime.timedelta(hours=1)


class DocType(StrEnum):
    RESUME = "resume"
    JOB_DESCRIPTION = "job_description"
    COVER_LETTER = "cover_letter"
    THANK_YOU = "thank_you"


#: A job has one confirmed document of each of these types: the latest.
SINGLE_VALUED = (DocType.RESUME, DocType.JOB_DESCRIPTION, DocType.COVER_LETTER)
_SINGLE_VALUED = sql_in_list(SINGLE_VALUED)
#: The index that allows one of each of these types.
UNIQUE_SINGLE_VALUED = "uq_documents_single_valued"


class DocumentStatus(StrEnum):
    PENDING = "pending"
    SCANNING = "scanning"
    UPLOADED = "uploaded"
    INFECTED = "infected"
    FAILED = "failed"


class ScanStatus(StrEnum):
    NOT_SCANNED = "NOT_SCANNED"
    PENDING = "PENDING"
    CLEAN = "CLEAN"
    INFECTED = "INFECTED"
    ERROR = "ERROR"


class Document(TrashableJobChild, Base):
    """A file of a job: pending until its upload is confirmed, then scanning if it is scanned.

    A trigger of the table inserts the keys of a deleted row into ``object_deletions``.
    """

    __tablename__ = "documents"
    __table_args__ = (
        job_foreign_key(),
        enum_check("doc_type", DocType),
        enum_check("status", DocumentStatus),
        enum_check("scan_status", ScanStatus),
        CheckConstraint("size_bytes > 0", name="size_bytes"),
        # The order of the list.
        live_index("ix_documents_live", "user_id", "application_id", "created_at", "id"),
        live_index(
            UNIQUE_SINGLE_VALUED,
            "user_id",
            "application_id",
            "doc_type",
            unique=True,
            where=f"status = 'uploaded' AND doc_type IN ({_SINGLE_VALUED})",
        ),
        # The deletion of the job.
        Index(None, "user_id", "application_id"),
        *trash_table_args("documents"),
        # The sweeper's search for expired uploads.
        Index(
            "ix_documents_pending", "upload_expires_at", postgresql_where=text("status = 'pending'")
        ),
        # The sweeper's search for results of malware scans.
        Index(
            "ix_documents_scanning", "user_id", "id", postgresql_where=text("status = 'scanning'")
        ),
    )
    trash_kind = "document"
    activity_types = ("document_added", "document_uploaded", "document_deleted")

    doc_type: Mapped[str]
    original_filename: Mapped[str] = mapped_column(String(MAX_FILENAME))
    content_type: Mapped[str | None] = mapped_column(String(MAX_CONTENT_TYPE))
    size_bytes: Mapped[int]
    # The key that the upload URL signs, and the final key, which no upload URL signs.
    upload_key: Mapped[str]
    object_key: Mapped[str]
    upload_expires_at: Mapped[datetime.datetime]
    status: Mapped[str] = mapped_column(server_default=DocumentStatus.PENDING)
    scan_status: Mapped[str] = mapped_column(server_default=ScanStatus.NOT_SCANNED)
    # When the result of the malware scan was read.
    scan_checked_at: Mapped[datetime.datetime | None]
    scan_message: Mapped[str | None]
    # When the upload was confirmed.
    uploaded_at: Mapped[datetime.datetime | None]
    created_at: Mapped[datetime.datetime] = timestamp()

    @classmethod
    def trash_title(cls) -> Any:
        return cls.original_filename


class ObjectDeletion(Base):
    """An object of S3 to be deleted, without a foreign key: it outlives document and user."""

    __tablename__ = "object_deletions"

    user_id: Mapped[int] = mapped_column(primary_key=True)
    object_key: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[datetime.datetime] = timestamp()
    # An object can appear after its deletion, by an upload URL that has not expired or by a copy
    # that timed out. Until then the sweeper repeats the deletion.
    repeat_until: Mapped[datetime.datetime] = timestamp()
    attempted_at: Mapped[datetime.datetime | None]
