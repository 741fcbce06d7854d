"""The tables of documents, and of the objects in S3 that are to be deleted."""

import datetime
import uuid
from collections.abc import Collection, Sequence
from enum import StrEnum

from sqlalchemy import (
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    Select,
    String,
    delete,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from jobtracker.db import NOW, Base, identity, in_words, one_of, timestamp

MAX_FILENAME = 255
MAX_CONTENT_TYPE = 255
MAX_PENDING = 5


class DocType(StrEnum):
    RESUME = "resume"
    JOB_DESCRIPTION = "job_description"
    COVER_LETTER = "cover_letter"
    THANK_YOU = "thank_you"


#: Of these a job has one: the latest that was confirmed.
SINGLE_VALUED = (DocType.RESUME, DocType.JOB_DESCRIPTION, DocType.COVER_LETTER)


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


class Document(Base):
    """A file of a job: announced (pending), or confirmed to be in the bucket.

    When a row goes, however it goes, a trigger of the table puts its keys into
    ``object_deletions``: no object is left without a row.
    """

    __tablename__ = "documents"
    __table_args__ = (
        ForeignKeyConstraint(
            ["user_id", "application_id"], ["jobs.user_id", "jobs.id"], ondelete="CASCADE"
        ),
        one_of("doc_type", DocType),
        one_of("status", DocumentStatus),
        one_of("scan_status", ScanStatus),
        CheckConstraint("size_bytes > 0", name="size_bytes"),
        # The documents of a job, in their order.
        Index(None, "user_id", "application_id", "created_at", "id"),
        Index(
            "uq_documents_single_valued",
            "user_id",
            "application_id",
            "doc_type",
            unique=True,
            postgresql_where=text(
                f"status = 'uploaded' AND doc_type IN ({in_words(SINGLE_VALUED)})"
            ),
        ),
    )

    user_id: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[int] = identity()
    application_id: Mapped[int]
    doc_type: Mapped[str]
    original_filename: Mapped[str] = mapped_column(String(MAX_FILENAME))
    content_type: Mapped[str | None] = mapped_column(String(MAX_CONTENT_TYPE))
    size_bytes: Mapped[int]
    # Where the browser puts it, and where it is kept: no upload URL ever signed the latter.
    upload_key: Mapped[str]
    object_key: Mapped[str]
    status: Mapped[str] = mapped_column(server_default=DocumentStatus.PENDING)
    scan_status: Mapped[str] = mapped_column(server_default=ScanStatus.NOT_SCANNED)
    scan_checked_at: Mapped[datetime.datetime | None]
    scan_message: Mapped[str | None]
    uploaded_at: Mapped[datetime.datetime | None]
    created_at: Mapped[datetime.datetime] = timestamp()

    def __repr__(self) -> str:
        return f"<Document {self.id} {self.doc_type} {self.original_filename!r} {self.status}>"

    @classmethod
    def announced(
        cls,
        user_id: int,
        job_id: int,
        *,
        doc_type: str,
        filename: str,
        content_type: str | None,
        size_bytes: int,
        created_at: datetime.datetime,
    ) -> "Document":
        """A document that is about to be uploaded, with keys of its own in the bucket."""
        name = f"{user_id}/{uuid.uuid4().hex}"
        return cls(
            user_id=user_id,
            application_id=job_id,
            doc_type=doc_type,
            original_filename=filename,
            content_type=content_type,
            size_bytes=size_bytes,
            created_at=created_at,
            upload_key=f"incoming/{name}",
            object_key=f"documents/{name}",
        )

    @classmethod
    def _where(cls, user_id: int, job_id: int) -> "Select[Document]":
        return select(cls).where(cls.user_id == user_id, cls.application_id == job_id)

    @classmethod
    def of_job(cls, db: Session, user_id: int, job_id: int) -> Sequence["Document"]:
        """The documents of a job, newest first."""
        query = cls._where(user_id, job_id)
        return db.scalars(query.order_by(cls.created_at.desc(), cls.id.desc())).all()

    @classmethod
    def by_id(cls, db: Session, user_id: int, job_id: int, document_id: int) -> "Document | None":
        """That document, if it is of that job of that user's."""
        return db.scalar(cls._where(user_id, job_id).where(cls.id == document_id))

    @classmethod
    def count_pending(cls, db: Session, user_id: int, job_id: int, seconds: int) -> int:
        """How many were announced in these last seconds and are not confirmed."""
        pending = cls._where(user_id, job_id).where(
            cls.status == DocumentStatus.PENDING,
            cls.created_at > NOW - datetime.timedelta(seconds=seconds),
        )
        return db.scalar(pending.with_only_columns(func.count())) or 0

    def replace_others(self, db: Session) -> None:
        """Delete the confirmed documents that this one takes the place of."""
        if self.doc_type in SINGLE_VALUED:
            db.execute(
                delete(Document).where(
                    Document.user_id == self.user_id,
                    Document.application_id == self.application_id,
                    Document.doc_type == self.doc_type,
                    Document.status == DocumentStatus.UPLOADED,
                    Document.id != self.id,
                )
            )


class ObjectDeletion(Base):
    """An object in the bucket that is to be deleted, written in the transaction that says so.

    No foreign key: it outlives what it was part of.
    """

    __tablename__ = "object_deletions"

    user_id: Mapped[int] = mapped_column(primary_key=True)
    object_key: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[datetime.datetime] = timestamp()

    @classmethod
    def ask(cls, db: Session, user_id: int, key: str) -> None:
        """Have an object deleted once the transaction is committed."""
        asked = insert(cls).values(user_id=user_id, object_key=key)
        db.execute(asked.on_conflict_do_nothing())

    @classmethod
    def some_of_user(cls, db: Session, user_id: int, limit: int) -> Sequence[str]:
        """Keys that wait, and that nobody else is at; they are locked for whoever asks."""
        query = select(cls.object_key).where(cls.user_id == user_id).order_by(cls.created_at)
        return db.scalars(query.limit(limit).with_for_update(skip_locked=True)).all()

    @classmethod
    def done(cls, db: Session, user_id: int, keys: Collection[str]) -> None:
        """These objects are gone."""
        db.execute(delete(cls).where(cls.user_id == user_id, cls.object_key.in_(keys)))
