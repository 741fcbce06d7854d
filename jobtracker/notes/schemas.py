"""The JSON of notes."""

from colander import SchemaNode

from jobtracker.fields import Integer, ListOf, Schema, Text, Timestamp
from jobtracker.jobs.schemas import JobOut
from jobtracker.notes.models import MAX_BODY


class NoteIn(Schema):
    example = {"body": "They called back."}

    body = SchemaNode(Text(max=MAX_BODY))


class NoteOut(Schema):
    example = {
        "id": 3,
        "application_id": 7,
        **NoteIn.example,
        "created_at": "2026-11-23T09:30:00.000000Z",
    }

    id = SchemaNode(Integer())
    application_id = SchemaNode(Integer())
    body = SchemaNode(Text())
    created_at = SchemaNode(Timestamp())


class JobWithNotesOut(JobOut):
    """GET of one job: the SPA shows its notes beside it."""

    example = {**JobOut.example, "notes": [NoteOut.example]}

    notes = SchemaNode(ListOf(NoteOut()))
