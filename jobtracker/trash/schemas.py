"""The JSON of the trash."""

from colander import SchemaNode, drop

from jobtracker.db.trash import Trashable, TrashReason
from jobtracker.fields import Choice, Integer, Schema, Text, TextList, Timestamp
from jobtracker.http.pagination import PageQuery

KIND = Choice(Trashable.by_kind)
SHOWN_REASONS = tuple(each for each in TrashReason if each is not TrashReason.PURGE)


class TrashFilters(Schema):
    kind = SchemaNode(TextList(KIND, max_items=100, item_title="kind"), title="kinds", missing=drop)


class TrashQuery(PageQuery, TrashFilters):
    """A page of what the filters find."""


class TrashOut(Schema):
    example = {
        "kind": "note",
        "id": 3,
        "job_id": 7,
        "title": "They called back.",
        "trashed_at": "2026-11-23T09:30:00.000000Z",
        "purge_at": "2026-12-23T09:30:00.000000Z",
        "reason": "user",
    }

    kind = SchemaNode(KIND)
    id = SchemaNode(Integer())
    job_id = SchemaNode(Integer(), nullable=True)
    title = SchemaNode(Text())
    trashed_at = SchemaNode(Timestamp())
    purge_at = SchemaNode(Timestamp())
    reason = SchemaNode(Choice(SHOWN_REASONS))
