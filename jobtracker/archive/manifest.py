"""The manifest of an archive: its last entry."""

import datetime
import uuid
from typing import Any, NamedTuple

from jobtracker.renderer import json_dumps

FILENAME = "manifest.json"
FORMAT, VERSION = "jobtracker-archive", 1


class FileEntry(NamedTuple):
    """A file of the archive: its bytes uncompressed, and their SHA-256 in hexadecimal."""

    name: str
    bytes: int
    sha256: str


class Manifest(NamedTuple):
    """What an archive has.

    :param source: the random id of the installation's user
    :param revision: that of the user
    :param documents: whether the files of documents were asked for
    :param counts: the rows by kind
    :param missing: the files of documents that could not be read any more
    """

    made_at: datetime.datetime
    source: uuid.UUID
    revision: int
    documents: bool
    counts: dict[str, int]
    files: list[FileEntry]
    missing: list[str]

    def dump(self) -> bytes:
        files = [entry._asdict() for entry in self.files]
        head = {"format": FORMAT, "version": VERSION}
        return json_dumps({**head, **self._asdict(), "files": files})


_COUNT = {"type": "integer", "minimum": 0}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "format": {"const": FORMAT},
        "version": {"const": VERSION},
        "made_at": {"type": "string", "format": "date-time"},
        "source": {"type": "string", "format": "uuid"},
        "revision": {"type": "integer"},
        "documents": {"type": "boolean"},
        "counts": {"type": "object", "additionalProperties": _COUNT},
        "files": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "bytes": _COUNT,
                    "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
                },
                "required": ["name", "bytes", "sha256"],
                "additionalProperties": False,
            },
        },
        "missing": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["format", "version", *Manifest._fields],
    "additionalProperties": False,
}
