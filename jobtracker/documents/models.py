"""The tables of documents, and of the objects in S3 that are to be deleted."""

import datetime
import uuid
from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    Row,
    Select,
    String,
    delete,
    func,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from jobtracker.db.base import NOW, Base, enum_check, identity, sql_in_list, timestamp
from jobtracker.db.keyset import Key, Page, Sort

MAX_FILENAME = 255
MAX_CONTENT_TYPE = 255
MAX_PENDING = 5

# How long an upload may take that began before its URL's end.
UPLOAD_GRACE = datetime.timedelta(hours=1)


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
        enum_check("doc_type", DocType),
        enum_check("status", DocumentStatus),
        enum_check("scan_status", ScanStatus),
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
                f"status = 'uploaded' AND doc_type IN ({sql_in_list(SINGLE_VALUED)})"
            ),
        ),
        # Uploads that never came, for the sweeper.
        Index(
            "ix_documents_pending", "upload_expires_at", postgresql_where=text("status = 'pending'")
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
    # The end of the upload URL.
    upload_expires_at: Mapped[datetime.datetime]
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
        upload_seconds: int,
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
            upload_expires_at=created_at + datetime.timedelta(seconds=upload_seconds),
            upload_key=f"incoming/{name}",
            object_key=f"documents/{name}",
        )

    @classmethod
    def _where(cls, user_id: int, job_id: int) -> "Select[Document]":
        return select(cls).where(cls.user_id == user_id, cls.application_id == job_id)

    @classmethod
    def page_of_job(
        cls, db: Session, user_id: int, job_id: int, limit: int, after: Sequence[Any] | None
    ) -> Page:
        """Some of the documents of a job, newest first."""
        return NEWEST_FIRST.page(db, cls._where(user_id, job_id), limit, after)

    @classmethod
    def by_id(cls, db: Session, user_id: int, job_id: int, document_id: int) -> "Document | None":
        """That document, if it is of that job of that user's."""
        return db.scalar(cls._where(user_id, job_id).where(cls.id == document_id))

    @classmethod
    def count_pending(cls, db: Session, user_id: int, job_id: int) -> int:
        """How many are announced and not confirmed, and can still come."""
        pending = cls._where(user_id, job_id).where(
            cls.status == DocumentStatus.PENDING, cls.upload_expires_at > NOW
        )
        return db.scalar(pending.with_only_columns(func.count())) or 0

    @classmethod
    def delete_overdue(cls, db: Session, limit: int) -> int:
        """Delete announcements whose upload never came, and return how many.

        Those that somebody confirms at this moment are locked, and left alone.
        """
        overdue = (
            select(cls.user_id, cls.id)
            .where(
                cls.status == DocumentStatus.PENDING,
                cls.upload_expires_at < NOW - UPLOAD_GRACE,
            )
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        found = db.execute(overdue).all()
        if found:
            db.execute(delete(cls).where(tuple_(cls.user_id, cls.id).in_(found)))
        return len(found)

    def lock(self, db: Session) -> None:
        """Keep others from confirming or deleting this document.

        :raises jobtracker.errors.NotFound: when it was deleted in the meantime
        """
        self.refresh(db, with_for_update=True)

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


NEWEST_FIRST = Sort(Key(Document.created_at, descending=True), Key(Document.id, descending=True))


class ObjectDeletion(Base):
    """An object in the bucket that is to be deleted, written in the transaction that says so.

    No foreign key: it outlives what it was part of.
    """

    __tablename__ = "object_deletions"

    user_id: Mapped[int] = mapped_column(primary_key=True)
    object_key: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[datetime.datetime] = timestamp()
    # An object may still arrive after its deletion: by an upload URL that has not expired, by a
    # copy that we no longer wait for. Until then the sweeper deletes it again and again.
    repeat_until: Mapped[datetime.datetime] = timestamp()
    attempted_at: Mapped[datetime.datetime | None]

    @classmethod
    def ask(cls, db: Session, user_id: int, key: str, until: datetime.datetime) -> None:
        """Have an object deleted once the transaction is committed.

        :param until: when nothing can arrive there any more
        """
        asked = insert(cls).values(user_id=user_id, object_key=key, repeat_until=until)
        db.execute(asked.on_conflict_do_nothing())

    @classmethod
    def new_of_user(cls, db: Session, user_id: int, limit: int) -> Sequence[str]:
        """Keys that wait for their first deletion, locked for whoever asks."""
        query = select(cls.object_key).where(cls.user_id == user_id, cls.attempted_at.is_(None))
        query = query.order_by(cls.created_at).limit(limit)
        return db.scalars(query.with_for_update(skip_locked=True)).all()

    @classmethod
    def after(cls, db: Session, last: tuple[int, str], limit: int) -> Sequence[Row[int, str, bool]]:
        """The next in the order of their keys: user, key, and whether this is the last time."""
        key = tuple_(cls.user_id, cls.object_key)
        query = select(cls.user_id, cls.object_key, cls.repeat_until <= NOW)
        query = query.where(key > tuple_(*last)).order_by(cls.user_id, cls.object_key)
        return db.execute(query.limit(limit).with_for_update(skip_locked=True)).all()

    @classmethod
    def attempted(cls, db: Session, user_id: int, keys: Collection[str]) -> None:
        """These objects are deleted, for now."""
        mine = update(cls).where(cls.user_id == user_id, cls.object_key.in_(keys))
        db.execute(mine.values(attempted_at=NOW))

    @classmethod
    def done(cls, db: Session, keys: Collection[tuple[int, str]]) -> None:
        """These objects are gone for good."""
        db.execute(delete(cls).where(tuple_(cls.user_id, cls.object_key).in_(keys)))
