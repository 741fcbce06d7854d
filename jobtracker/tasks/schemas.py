"""The JSON of tasks."""

from colander import SchemaNode

from jobtracker.fields import (
    Choice,
    FreeFormObject,
    Integer,
    Nested,
    RowOut,
    Schema,
    Text,
    Timestamp,
)
from jobtracker.tasks.models import TaskState


class ProgressOut(Schema):
    done = SchemaNode(Integer())
    total = SchemaNode(Integer(), nullable=True)


class TaskOut(RowOut):
    example = {
        "id": 3,
        "kind": "empty_trash",
        "state": "running",
        "progress": {"done": 500, "total": 2000},
        "result": None,
        "created_at": "2026-11-23T09:00:00.000000Z",
        "finished_at": None,
    }

    kind = SchemaNode(Text())
    state = SchemaNode(Choice(TaskState))
    progress = SchemaNode(Nested(ProgressOut()))
    result = SchemaNode(FreeFormObject(), nullable=True)
    created_at = SchemaNode(Timestamp())
    finished_at = SchemaNode(Timestamp(), nullable=True)
