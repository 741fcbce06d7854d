"""The manifest of an archive: its last entry."""

import datetime
import re
import uuid
from typing import Any, NamedTuple, Self

import orjson

from jobtracker.renderer import json_dumps

FILENAME = "manifest.json"
FORMAT, VERSION = "jobtracker-archive", 1
_SHA256 = "[0-9a-f]{64}"


class InvalidManifest(ValueError):
    """The message is for the user."""


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
    :param files: by their names, in the order of the archive
    :param missing: the files of documents that could not be read any more
    """

    made_at: datetime.datetime
    source: uuid.UUID
    revision: int
    documents: bool
    counts: dict[str, int]
    files: dict[str, FileEntry]
    missing: frozenset[str]

    def dump(self) -> bytes:
        head = {"format": FORMAT, "version": VERSION, **self._asdict()}
        files = [entry._asdict() for entry in self.files.values()]
        return json_dumps({**head, "files": files, "missing": sorted(self.missing)})

    @classmethod
    def load(cls, data: bytes) -> Self:
        """:raises InvalidManifest: also for another version of the format"""
        try:
            found = orjson.loads(data)
        except orjson.JSONDecodeError:
            raise InvalidManifest("The manifest is no JSON.") from None
        if not isinstance(found, dict) or found.pop("format", None) != FORMAT:
            raise InvalidManifest("This is no archive of JobTracker.")
        if (version := found.pop("version", None)) != VERSION:
            shown = version if isinstance(version, int) else "unknown"
            raise InvalidManifest(
                f"The format has the version {shown}; only {VERSION} can be imported."
            )
        try:
            return cls._of(**found)
        except (TypeError, ValueError, AttributeError, OverflowError):
            raise InvalidManifest("The manifest is invalid.") from None

    @classmethod
    def _of(cls, *, made_at: str, source: str, files: Any, missing: Any, **others: Any) -> Self:
        """The manifest of JSON values. Any of the errors that :meth:`load` translates is raised
        for invalid ones."""
        entries = [FileEntry(**each) for each in files]
        manifest = cls(
            made_at=datetime.datetime.fromisoformat(made_at).astimezone(datetime.UTC),
            source=uuid.UUID(source),
            files={entry.name: entry for entry in entries},
            missing=frozenset(missing),
            **others,
        )
        numbers = [*manifest.counts.values(), *(entry.bytes for entry in entries)]
        texts = [*manifest.files, *manifest.missing]
        if (
            type(manifest.revision) is not int
            or type(manifest.documents) is not bool
            or len(manifest.files) != len(entries)
            or any(type(each) is not int or each < 0 for each in numbers)
            or any(type(each) is not str for each in texts)
            or any(re.fullmatch(_SHA256, entry.sha256) is None for entry in entries)
        ):
            raise ValueError
        return manifest


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
                    "sha256": {"type": "string", "pattern": f"^{_SHA256}$"},
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
