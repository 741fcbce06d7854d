"""The tables of words that searches read."""

from sqlalchemy import BigInteger, Text
from sqlalchemy.dialects.postgresql import ARRAY, TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from jobtracker.db.base import Base
from jobtracker.jobs.models import job_foreign_key

#: The words of a query that count, its first: each is looked for in all notes of the user.
MAX_WORDS = 8


class JobWords(Base):
    """What a job is found by. A trigger of jobs keeps it.

    The words of company and title weigh most (A), then tags (B), then the location (C). ``texts``
    are these three texts, and ``tags`` the tags, as ``fold()`` makes them: filters compare them.
    """

    __tablename__ = "job_words"
    __table_args__ = (job_foreign_key(),)

    user_id: Mapped[int] = mapped_column(primary_key=True)
    application_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    words: Mapped[str] = mapped_column(TSVECTOR)
    texts: Mapped[str]
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text))


class _NoteWords:
    """The columns of a table of words of notes."""

    user_id: Mapped[int] = mapped_column(primary_key=True)
    application_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    note_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    note_ids: Mapped[list[int | None]] = mapped_column(ARRAY(BigInteger))
    words: Mapped[str] = mapped_column(TSVECTOR)


class NoteWords(_NoteWords, Base):
    """The words of some notes of a job, which weigh least (D). Triggers of notes keep them.

    Each note's words end with the lexeme ``/``, in the order of ``note_ids``; ``note_id`` is the
    first of them. So that a search reads few rows, and the write of a note a short one, a row has
    about 6,000 bytes. A note in the trash keeps its place, without words; in place of the id of one
    that was purged is null.
    """

    __tablename__ = "note_words"
    __table_args__ = (job_foreign_key(),)


class TrashedNoteWords(_NoteWords, Base):
    """Those of jobs in the trash, which no search reads. A trigger of jobs moves the first rows of
    one, the sweeper the others."""

    __tablename__ = "trashed_note_words"
    __table_args__ = (job_foreign_key(),)
