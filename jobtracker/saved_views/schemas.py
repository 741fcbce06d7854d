"""The JSON of saved views."""

from colander import SchemaNode

from jobtracker.fields import JsonObject, RowOut, Schema, Text, Timestamp, merge_patch
from jobtracker.saved_views.models import MAX_BYTES, MAX_NAME

MAX_DEPTH = 32


class SavedViewIn(Schema):
    example = {
        "name": "Remote, waiting",
        "data": {"filters": {"status": ["applied"], "tag": ["remote"]}, "sort": "updated_desc"},
    }

    name = SchemaNode(Text(max=MAX_NAME), title="name of the view")
    data = SchemaNode(
        JsonObject(max_bytes=MAX_BYTES, max_depth=MAX_DEPTH), title="data of the view"
    )


SAVED_VIEW_PATCH = merge_patch(SavedViewIn(), "SavedViewPatch", example={"name": "Remote"})


class SavedViewOut(SavedViewIn, RowOut):
    example = {
        "id": 2,
        **SavedViewIn.example,
        "created_at": "2026-11-23T09:00:00.000000Z",
        "updated_at": "2026-11-23T09:30:00.000000Z",
    }

    created_at = SchemaNode(Timestamp())
    updated_at = SchemaNode(Timestamp())
