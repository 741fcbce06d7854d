"""The SQL of contacts."""

from typing import NamedTuple

from jobtracker.db.keyset import Sort, SortKey
from jobtracker.db.trashable_rows import TrashableRepository

from .models import Contact


class ContactRow(NamedTuple):
    user_id: int
    id: int
    application_id: int
    name: str


CONTACTS = TrashableRepository(
    Contact,
    ContactRow,
    owner_columns=("user_id", "application_id"),
    order=Sort(SortKey(Contact.name), SortKey(Contact.id)),
)
