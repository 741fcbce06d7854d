"""The JSON of notes. What goes out is :class:`jobtracker.jobs.schemas.NoteOut`."""

from colander import SchemaNode

from jobtracker.fields import Prose, Schema
from jobtracker.notes.models import MAX_BODY


class NoteIn(Schema):
    example = {"body": "They called back."}

    body = SchemaNode(Prose(max=MAX_BODY), title="note")
