"""Writes an archive as a stream: rows of one snapshot first, then the files of documents."""

import datetime
import hashlib
import shutil
import tempfile
import uuid
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, NamedTuple, Protocol, cast

from sqlalchemy.orm import Session, sessionmaker

from jobtracker.archive import queries
from jobtracker.archive.filenames import path_of
from jobtracker.archive.kinds import ARCHIVE_KINDS, DOCUMENTS, Kind
from jobtracker.archive.manifest import FILENAME, FileEntry, Manifest
from jobtracker.documents.models import DocumentStatus
from jobtracker.documents.storage import Bucket, ObjectMissingOrChanged
from jobtracker.errors import NotFound

# Of a document, beyond which it is in a temporary file until all of it is there.
MAX_IN_MEMORY = 8 * 1024 * 1024
COPY_BYTES = 256 * 1024
# Documents are compressed already, most of them.
LEVEL_OF_ROWS, LEVEL_OF_DOCUMENTS = 6, 1
KIB = 1024
# Bytes of a row, at most: those of a note, escaped, are a quarter of it.
MAX_ROW = 256 * 1024


class Writable(Protocol):
    """What an archive is written to; it need not be seekable."""

    def write(self, data: bytes, /) -> int: ...

    def flush(self) -> object: ...


#: Called with the progress and its end: rows, and KiB of documents.
ReportProgress = Callable[[int, int], None]


class _StoredFile(NamedTuple):
    path: str
    object_key: str
    size_bytes: int


class ArchiveWriter:
    """Writes the archive of a user."""

    def __init__(
        self,
        sessions: sessionmaker[Session],
        bucket: Bucket,
        user_id: int,
        *,
        source: uuid.UUID,
        documents: bool,
        report_progress: ReportProgress,
    ) -> None:
        self._sessions, self._bucket, self._user_id = sessions, bucket, user_id
        self._source, self._documents = source, documents
        self._report_progress = report_progress
        self._made_at = datetime.datetime.now(datetime.UTC)
        self._files: dict[str, FileEntry] = {}
        self._done = self._total = 0

    def write(self, out: Writable) -> Manifest:
        """Write all of it.

        :raises NotFound: if there is no such user
        :raises Unavailable: when S3 fails
        """
        self._out = _Output(out)
        with (
            zipfile.ZipFile(cast(IO[bytes], self._out), "w") as self._archive,
            self._out.discarding(),
        ):
            with queries.snapshot(self._sessions) as session:
                revision = queries.revision(session, self._user_id)
                if revision is None:
                    raise NotFound("user")
                totals = queries.totals(session, self._user_id)
                self._total = sum(totals.rows.values())
                self._total += totals.bytes // KIB if self._documents else 0
                stored: list[_StoredFile] = []
                counts = {
                    each.name: self._write_rows(session, each, totals.rows[each.name], stored)
                    for each in ARCHIVE_KINDS
                }
            missing = {each.path for each in stored if not self._write_document(each)}
            manifest = Manifest(
                self._made_at,
                self._source,
                revision,
                self._documents,
                counts,
                dict(self._files),
                frozenset(missing),
            )
            with self._open(FILENAME) as entry:
                entry.write(manifest.dump())
        self._report_progress(self._total, self._total)
        return manifest

    def _write_rows(
        self, session: Session, kind: Kind, expected: int, stored: list[_StoredFile]
    ) -> int:
        """Write the file of a kind, and return its number of rows; collect the files of
        documents."""
        number = 0
        with self._open(kind.filename, max_bytes=expected * MAX_ROW) as entry:
            for row in queries.rows(session, kind, self._user_id):
                if kind is DOCUMENTS:
                    row["file"] = None
                    if self._documents and row["status"] == DocumentStatus.UPLOADED:
                        row["file"] = path_of(row["id"], row["original_filename"])
                        key, size = row["object_key"], row["size_bytes"]
                        stored.append(_StoredFile(row["file"], key, size))
                entry.write(kind.encode(row))
                number += 1
                if number % queries.BATCH == 0:
                    self._add_progress(queries.BATCH)
        self._add_progress(number % queries.BATCH)
        return number

    def _write_document(self, stored: _StoredFile) -> bool:
        """Write the file of a document, and return whether it exists still."""
        with tempfile.SpooledTemporaryFile(MAX_IN_MEMORY) as file:
            try:
                self._bucket.download(stored.object_key, file)
                exists = True
            except ObjectMissingOrChanged:
                exists = False
            if exists:
                size = file.tell()
                file.seek(0)
                with self._open(stored.path, level=LEVEL_OF_DOCUMENTS, max_bytes=size) as entry:
                    shutil.copyfileobj(file, entry, COPY_BYTES)
        self._add_progress(stored.size_bytes // KIB)
        return exists

    def _add_progress(self, number: int) -> None:
        self._done = min(self._done + number, self._total)
        self._report_progress(self._done, self._total)

    @contextmanager
    def _open(
        self, name: str, *, level: int = LEVEL_OF_ROWS, max_bytes: int = 0
    ) -> Iterator["_Entry"]:
        """Write an entry, and add it to the files of the manifest.

        :param max_bytes: by which zipfile uses Zip64: only where it is needed, since readers of
            streams, such as Java's, fail at it
        """
        info = zipfile.ZipInfo(name, self._made_at.timetuple()[:6])
        info.compress_type = zipfile.ZIP_DEFLATED
        # The only way to give a level together with a time, in all versions of Python.
        info._compresslevel = level  # type: ignore[attr-defined]
        info.external_attr = 0o600 << 16
        info.file_size = max_bytes
        with self._archive.open(info, "w") as file:
            entry = _Entry(file)
            with self._out.discarding():
                yield entry
        self._files[name] = FileEntry(name, entry.bytes, entry.sha256.hexdigest())


class _Output:
    """What is written to, but for what zipfile writes to end an archive after an exception."""

    def __init__(self, out: Writable) -> None:
        self._out, self._is_discarded = out, False

    @contextmanager
    def discarding(self) -> Iterator[None]:
        """After an exception within, nothing more is written."""
        try:
            yield
        except BaseException:
            self._is_discarded = True
            raise

    def write(self, data: bytes, /) -> int:
        return len(data) if self._is_discarded else self._out.write(data)

    def flush(self) -> None:
        self._out.flush()


class _Entry:
    """An entry of the zip, whose bytes are counted and hashed."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.bytes, self.sha256 = file, 0, hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.bytes += len(data)
        self.sha256.update(data)
        return self._file.write(data)
