"""The JSON of exports. Keys in the bucket are never shown."""

from colander import SchemaNode

from jobtracker import fields
from jobtracker.tasks.models import TaskState
from jobtracker.tasks.schemas import ProgressOut


class ExportIn(fields.Schema):
    example = {"documents": True}

    documents = SchemaNode(fields.Boolean(), title="choice for documents", missing=True)


class ExportOut(fields.RowOut):
    example = {
        "id": 3,
        "state": "done",
        "progress": {"done": 1530, "total": 1530},
        "size_bytes": 4182733,
        "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "revision": 812,
        "counts": {"jobs": 120, "notes": 340},
        "created_at": "2026-11-23T09:00:00.000000Z",
        "expires_at": "2026-11-30T09:00:07.000000Z",
    }

    state = SchemaNode(fields.Choice(TaskState))
    progress = SchemaNode(fields.Nested(ProgressOut()))
    size_bytes = SchemaNode(fields.Integer(), nullable=True)
    sha256 = SchemaNode(fields.Text(), nullable=True)
    revision = SchemaNode(fields.Integer(), nullable=True)
    counts = SchemaNode(fields.FreeFormObject(), nullable=True)
    created_at = SchemaNode(fields.Timestamp())
    expires_at = SchemaNode(fields.Timestamp())
