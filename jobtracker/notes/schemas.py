"""Notes on the wire."""

from colander import SchemaNode

from jobtracker.fields import Integer, Schema, Text, Timestamp
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
