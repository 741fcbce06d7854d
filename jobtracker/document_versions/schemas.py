"""The JSON of the versions of documents."""

from colander import SchemaNode

from jobtracker.documents.schemas import DocumentOut
from jobtracker.fields import Timestamp


class VersionOut(DocumentOut):
    example = {
        **DocumentOut.example,
        "id": 4,
        "replaced_at": "2026-11-23T09:31:00.000000Z",
        "purge_at": "2026-12-23T09:31:00.000000Z",
    }

    replaced_at = SchemaNode(Timestamp())
    purge_at = SchemaNode(Timestamp())
