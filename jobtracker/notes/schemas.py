"""Notes on the wire."""

from colander import SchemaNode

from jobtracker.fields import Integer, Schema, Text, Timestamp
from jobtracker.notes.models import MAX_BODY


class NoteIn(Schema):
    body = SchemaNode(Text(max=MAX_BODY))


class NoteOut(Schema):
    id = SchemaNode(Integer())
    application_id = SchemaNode(Integer())
    body = SchemaNode(Text())
    created_at = SchemaNode(Timestamp())
