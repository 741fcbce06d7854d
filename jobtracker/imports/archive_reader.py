"""Reads an archive: its manifest, and the rows, those of each job together."""

import datetime
import io
import re
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple

import orjson

from jobtracker.archive.kinds import ARCHIVE_KINDS, JOBS, InvalidRow, Kind
from jobtracker.archive.manifest import FILENAME, FORMAT, SCHEMA, VERSION, FileEntry
from jobtracker.imports import rows
from jobtracker.imports.problems import BrokenArchive, Problem
from jobtracker.imports.zip_file import ZipReader

MAX_MANIFEST = 4 * 1024 * 1024
#: Of the files of all kinds.
MAX_ROWS = 2_000_000
#: After so many rows that are invalid, no more is read.
MAX_INVALID = 1000
#: Of the rows that are in memory together, those of one job or of one kind: their lines, and for
#: each of them what its object needs beyond these.
MAX_BYTES, ROW_BYTES = 64 * 1024 * 1024, 1000
_DOCUMENT = re.compile(r"documents/[0-9]{1,19}/[^/]+")
_SHA256 = re.compile("[0-9a-f]{64}")

CHILDREN = tuple(kind for kind in ARCHIVE_KINDS if kind.is_of_job)
#: Those of the user.
OTHERS = tuple(kind for kind in ARCHIVE_KINDS if not kind.is_of_job and kind is not JOBS)

Row = dict[str, Any]


class Manifest(NamedTuple):
    source: uuid.UUID
    made_at: datetime.datetime
    counts: dict[str, int]
    files: dict[str, FileEntry]
    missing: frozenset[str]


class Line(NamedTuple):
    """A row, and where it is."""

    number: int
    row: Row
    bytes: int


class JobRows(NamedTuple):
    """A job, with the rows below it by the names of their kinds."""

    job: Line
    children: dict[str, list[Line]]


Report = Callable[[Problem], None]


class ArchiveReader:
    """An archive whose entries are those of its manifest.

    :param report: called with what is wrong with a row, which is left out
    :raises BrokenArchive: when it cannot be read any further, as all methods do
    """

    def __init__(self, file: io.RawIOBase, report: Report) -> None:
        self._zip, self._report = ZipReader(file), report
        self._rows = self._invalid = self._size = 0
        self._has_invalid_job = False
        self.manifest = self._read_manifest()
        self._check_entries()

    def rows(self, kind: Kind, after: int = 0) -> Iterator[Line]:
        """The valid rows of a kind, in the order of the file.

        :param after: the id of a job: rows of it and of those before it, which are valid, are left
            out
        """
        of_job = "id" if kind is JOBS else "application_id"
        name = kind.filename
        if name not in self.manifest.files:
            return
        number = 0
        with self._zip.open(name) as entry:
            for number, line in entry.lines():
                self._rows += 1
                if self._rows > MAX_ROWS:
                    raise BrokenArchive(f"The archive has more than {MAX_ROWS} rows.", name, number)
                if kind.is_single and number > 1:
                    raise BrokenArchive("The entry has more than one line.", name, number)
                if after and orjson.loads(line)[of_job] <= after:
                    continue
                after = 0  # the rows are in the order of jobs
                try:
                    row = rows.decode(kind, line)
                except InvalidRow as error:
                    self._invalid += 1
                    self._has_invalid_job |= kind is JOBS
                    if self._invalid > MAX_INVALID:
                        message = f"More than {MAX_INVALID} rows are invalid."
                        raise BrokenArchive(message, name, number) from None
                    self._report(Problem(error.message, name, number, error.field or None))
                else:
                    yield Line(number, row, len(line))
            self._check_file(name, entry.bytes, entry.sha256)
        if number != self.manifest.counts.get(kind.name, 0):
            raise BrokenArchive("The manifest has another number of rows.", name)

    def all_rows(self, kind: Kind) -> list[Line]:
        """The valid rows of a kind of which a user has few."""
        self._size = 0
        return [*self._bounded(kind, self.rows(kind), "The entry has too many rows.")]

    def jobs(self, start: int = 0) -> Iterator[JobRows]:
        """The jobs with all rows below them: the files of all kinds are in the order of jobs.

        :param start: the number of jobs to leave out, all of which are valid
        """
        self._zip.rewind()
        last = self._id_of_job(start)
        self._zip.rewind()
        self._rows = 0
        with ExitStack() as stack:
            children = {
                kind: _Rows(kind, self.rows(kind, last), self._report_orphan) for kind in CHILDREN
            }
            for each in children.values():
                stack.callback(each.close)
            for job in self.rows(JOBS, last):
                job_id = job.row["id"]
                if job_id <= last:
                    message = "The jobs are not in the order of their ids."
                    raise BrokenArchive(message, JOBS.filename, job.number)
                last, self._size = job_id, 0
                message = "A job has too much below it."
                yield JobRows(
                    job,
                    {
                        kind.name: [*self._bounded(kind, of_kind.of_job(job_id), message)]
                        for kind, of_kind in children.items()
                    },
                )
            for of_kind in children.values():
                of_kind.finish()

    def read_document(self, path: str, max_bytes: int) -> bytes:
        """The file of a document."""
        with self._zip.open(path) as entry:
            content = entry.read(max_bytes)
            self._check_file(path, entry.bytes, entry.sha256)
        return content

    def _bounded(self, kind: Kind, lines: Iterable[Line], message: str) -> Iterator[Line]:
        """The lines; BrokenArchive when they do not fit into memory."""
        for line in lines:
            self._size += line.bytes + ROW_BYTES
            if self._size > MAX_BYTES:
                raise BrokenArchive(message, kind.filename, line.number)
            yield line

    def _report_orphan(self, problem: Problem) -> None:
        """Report a row without its job, unless that can be an invalid one."""
        if not self._has_invalid_job:
            self._report(problem)

    def _id_of_job(self, number: int) -> int:
        """The id of the job of a number, from 1; 0 for 0."""
        if number == 0:
            return 0
        with self._zip.open(JOBS.filename) as entry:
            for place, line in entry.lines():
                if place == number:
                    found: int = orjson.loads(line)["id"]
                    return found
        raise BrokenArchive("The entry has fewer lines than before.", JOBS.filename)

    def _read_manifest(self) -> Manifest:
        if FILENAME not in self._zip.entries:
            raise BrokenArchive("The archive has no manifest.", FILENAME)
        with self._zip.open(FILENAME) as entry:
            try:
                found = orjson.loads(entry.read(MAX_MANIFEST))
            except orjson.JSONDecodeError:
                raise BrokenArchive("The manifest is no JSON.", FILENAME) from None
        return _manifest(found)

    def _check_entries(self) -> None:
        """Check that entries and manifest agree, as far as the list of entries says."""
        of_kinds = {kind.filename for kind in ARCHIVE_KINDS}
        for name in self._zip.entries:
            if name not in of_kinds and name != FILENAME and not _DOCUMENT.fullmatch(name):
                raise BrokenArchive("The archive can have no entry of this name.", name)
            if name != FILENAME and name not in self.manifest.files:
                raise BrokenArchive("The manifest does not have the entry.", name)
        for name, file in self.manifest.files.items():
            if name not in self._zip.entries:
                raise BrokenArchive("The entry is missing.", name)
            if self._zip.entries[name].file_size != file.bytes:
                raise BrokenArchive("The manifest has another size of the entry.", name)
        for kind in ARCHIVE_KINDS:
            if self.manifest.counts.get(kind.name, 0) and kind.filename not in self.manifest.files:
                raise BrokenArchive("The entry is missing.", kind.filename)

    def _check_file(self, name: str, number: int, sha256: str) -> None:
        file = self.manifest.files[name]
        if (number, sha256) != (file.bytes, file.sha256):
            raise BrokenArchive("The entry has another SHA-256 than in the manifest.", name)


class _Rows:
    """The rows of a kind below jobs, job by job."""

    def __init__(self, kind: Kind, lines: Iterator[Line], report: Report) -> None:
        self._kind, self._lines, self._report = kind, lines, report
        self._next: Line | None = None
        self._last = (0, 0)
        self._is_over = False

    def of_job(self, job_id: int) -> Iterator[Line]:
        """Those of a job; what is before them belongs to no job."""
        while (line := self._peek()) is not None and line.row["application_id"] <= job_id:
            self._next = None
            if line.row["application_id"] == job_id:
                yield line
            else:
                self._report_orphan(line)

    def finish(self) -> None:
        """Report what is left."""
        while (line := self._peek()) is not None:
            self._next = None
            self._report_orphan(line)

    def close(self) -> None:
        self._lines.close()  # type: ignore[attr-defined]

    def _peek(self) -> Line | None:
        if self._next is None and not self._is_over:
            self._next = next(self._lines, None)
            self._is_over = self._next is None
            if self._next is not None:
                key = (self._next.row["application_id"], self._next.row["id"])
                if key <= self._last:
                    message = "The rows are not in the order of application_id and id."
                    raise BrokenArchive(message, self._kind.filename, self._next.number)
                self._last = key
        return self._next

    def _report_orphan(self, line: Line) -> None:
        message = "The archive has no job of this id."
        self._report(Problem(message, self._kind.filename, line.number, "application_id"))


def _manifest(found: Any) -> Manifest:
    """The manifest; BrokenArchive when it is invalid."""
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise BrokenArchive("This is no archive of JobTracker.", FILENAME)
    if (version := found.get("version")) != VERSION:
        shown = version if isinstance(version, int) else "unknown"
        message = f"The format has the version {shown}; only {VERSION} can be imported."
        raise BrokenArchive(message, FILENAME)
    try:
        _require(found.keys() == set(SCHEMA["required"]))
        files = {}
        for each in found["files"]:
            _require(each.keys() == set(FileEntry._fields))
            file = FileEntry(**each)
            _require(type(file.name) is str and file.name not in files)
            _require(type(file.bytes) is int and file.bytes >= 0)
            _require(_SHA256.fullmatch(file.sha256) is not None)
            files[file.name] = file
        counts = dict(found["counts"])
        known = {kind.name for kind in ARCHIVE_KINDS}
        _require(counts.keys() <= known)
        _require(all(type(each) is int and each >= 0 for each in counts.values()))
        _require(all(type(each) is str for each in found["missing"]))
        made_at = datetime.datetime.fromisoformat(found["made_at"]).astimezone(datetime.UTC)
        source, missing = uuid.UUID(found["source"]), frozenset(found["missing"])
        return Manifest(source, made_at, counts, files, missing)
    except (TypeError, ValueError, AttributeError, KeyError, OverflowError):
        raise BrokenArchive("The manifest is invalid.", FILENAME) from None


def _require(condition: bool) -> None:
    if not condition:
        raise ValueError
