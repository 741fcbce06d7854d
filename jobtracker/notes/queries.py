"""The SQL of notes."""

import datetime
from typing import NamedTuple

from jobtracker.db.keyset import newest_first
from jobtracker.db.trashable_rows import TrashableRepository
from jobtracker.notes.models import Note


class NoteRow(NamedTuple):
    user_id: int
    id: int
    application_id: int
    body: str
    created_at: datetime.datetime


NOTES = TrashableRepository(
    Note, NoteRow, owner_columns=Note.OWNER_COLUMNS, order=newest_first(Note), texts=[Note.body]
)
