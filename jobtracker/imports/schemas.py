"""The JSON of imports. Keys in the bucket are never shown."""

from colander import SchemaNode

from jobtracker import fields
from jobtracker.documents.schemas import FileSize
from jobtracker.imports.models import MAX_FILENAME, ImportKind, ImportState, OnDuplicate
from jobtracker.tasks.schemas import ProgressOut

LISTED = {"number": 0, "first": []}


class ImportIn(fields.Schema):
    example = {"filename": "jobtracker-2026-11-23.zip", "size_bytes": 4182733}

    filename = SchemaNode(fields.Text(max=MAX_FILENAME), title="name of the file")
    size_bytes = SchemaNode(FileSize(min=1), title="size of the file")


class RunImportIn(fields.Schema):
    example = {"on_duplicate": "skip"}

    on_duplicate = SchemaNode(
        fields.Choice(OnDuplicate), title="choice for duplicates", missing=OnDuplicate.SKIP
    )


class ImportOut(fields.RowOut):
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

    kind = SchemaNode(fields.Choice(ImportKind))
    state = SchemaNode(fields.Choice(ImportState))
    filename = SchemaNode(fields.Text())
    size_bytes = SchemaNode(fields.Integer())
    on_duplicate = SchemaNode(fields.Choice(OnDuplicate), nullable=True)
    progress = SchemaNode(fields.Nested(ProgressOut()))
    report = SchemaNode(fields.FreeFormObject(), nullable=True)
    created_at = SchemaNode(fields.Timestamp())
    finished_at = SchemaNode(fields.Timestamp(), nullable=True)


class ImportUploadOut(fields.Schema):
    import_ = SchemaNode(fields.Nested(ImportOut()), name="import")
    upload_url = SchemaNode(fields.Text())
    upload_headers = SchemaNode(fields.TextMap(max_entries=1, max_text=255))
    expires_in = SchemaNode(fields.Integer())
