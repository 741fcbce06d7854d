"""The JSON of tasks."""

from colander import SchemaNode

from jobtracker import fields
from jobtracker.tasks.models import TaskState


class ProgressOut(fields.Schema):
    done = SchemaNode(fields.Integer())
    total = SchemaNode(fields.Integer(), nullable=True)


class TaskOut(fields.RowOut):
    example = {
        "id": 3,
        "kind": "empty_trash",
        "state": "running",
        "progress": {"done": 500, "total": 2000},
        "result": None,
        "created_at": "2026-11-23T09:00:00.000000Z",
        "finished_at": None,
    }

    kind = SchemaNode(fields.Text())
    state = SchemaNode(fields.Choice(TaskState))
    progress = SchemaNode(fields.Nested(ProgressOut()))
    result = SchemaNode(fields.FreeFormObject(), nullable=True)
    created_at = SchemaNode(fields.Timestamp())
    finished_at = SchemaNode(fields.Timestamp(), nullable=True)
