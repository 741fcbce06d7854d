"""The JSON of notes. What goes out is :class:`jobtracker.jobs.schemas.NoteOut`."""

from colander import SchemaNode

from jobtracker.fields import Schema, Text
from jobtracker.notes.models import MAX_BODY


class NoteIn(Schema):
    example = {"body": "They called back."}

    body = SchemaNode(Text(max=MAX_BODY), title="note")
