"""The JSON of imports. Keys in the bucket are never shown."""

from colander import SchemaNode

from jobtracker.documents.schemas import FileSize
from jobtracker.fields import (
    Choice,
    FreeFormObject,
    Integer,
    Nested,
    RowOut,
    Schema,
    Text,
    TextMap,
    Timestamp,
)
from jobtracker.imports.models import MAX_FILENAME, ImportKind, ImportState, OnDuplicate
from jobtracker.tasks.schemas import ProgressOut

LISTED = {"number": 0, "first": []}


class ImportIn(Schema):
    example = {"filename": "jobtracker-2026-11-23.zip", "size_bytes": 4182733}

    filename = SchemaNode(Text(max=MAX_FILENAME), title="name of the file")
    size_bytes = SchemaNode(FileSize(min=1), title="size of the file")


class RunImportIn(Schema):
    example = {"on_duplicate": "skip"}

    on_duplicate = SchemaNode(
        Choice(OnDuplicate), title="choice for duplicates", missing=OnDuplicate.SKIP
    )


class ImportOut(RowOut):
    example = {
        "id": 3,
        "kind": "archive",
        "state": "checked",
        **ImportIn.example,
        "on_duplicate": None,
        "progress": {"done": 121, "total": 121},
        "report": {
            "is_importable": True,
            "counts": {"jobs": 120, "notes": 340},
            "new": {"jobs": 119, "notes": 340},
            "known": {"jobs": 1},
            "duplicates": {
                "number": 1,
                "first": [{"kind": "job", "id": 7, "title": "Acme: Engineer"}],
            },
            "conflicts": LISTED,
            "refused": LISTED,
            "missing_files": 0,
        },
        "created_at": "2026-11-23T09:00:00.000000Z",
        "finished_at": None,
    }

    kind = SchemaNode(Choice(ImportKind))
    state = SchemaNode(Choice(ImportState))
    filename = SchemaNode(Text())
    size_bytes = SchemaNode(Integer())
    on_duplicate = SchemaNode(Choice(OnDuplicate), nullable=True)
    progress = SchemaNode(Nested(ProgressOut()))
    report = SchemaNode(FreeFormObject(), nullable=True)
    created_at = SchemaNode(Timestamp())
    finished_at = SchemaNode(Timestamp(), nullable=True)


class ImportUploadOut(Schema):
    import_ = SchemaNode(Nested(ImportOut()), name="import")
    upload_url = SchemaNode(Text())
    upload_headers = SchemaNode(TextMap(max_entries=1, max_text=255))
    expires_in = SchemaNode(Integer())
