"""Reads an archive: its manifest, and the rows, those of each job together."""

import io
import math
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import orjson

from jobtracker.archive.kinds import ARCHIVE_KINDS, JOBS, InvalidRow, Kind
from jobtracker.archive.manifest import FILENAME, InvalidManifest, Manifest
from jobtracker.imports import rows
from jobtracker.imports.problems import BrokenArchive, Problem
from jobtracker.imports.zip_file import ZipReader

#: Bytes: 20,000 documents with the longest names have 8 MB.
MAX_MANIFEST = 8 * 1024 * 1024
#: Of the files of all kinds.
MAX_ROWS = 2_000_000
#: After so many rows that are invalid, no more is read.
MAX_INVALID = 1000
#: Bytes of the rows that are in memory at once, those of a job, or those that belong to none: of
#: their lines, and of the objects of each.
MAX_BYTES, ROW_BYTES = 64 * 1024 * 1024, 1000
_OTHER_NUMBER = "The manifest has another number of rows."
_DOCUMENT = re.compile(r"documents/[0-9]{1,19}/[^/]+")

_CHILDREN = tuple(kind for kind in ARCHIVE_KINDS if kind.is_of_job)

Row = dict[str, Any]


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
        self._invalid, self._has_invalid_job = 0, False
        self.manifest = self._read_manifest()
        self._check_entries()

    def rows(self, kind: Kind, after: int = 0) -> Iterator[Line]:
        """The valid rows of a kind, in the order of the file.

        :param after: the id of a job: rows of it and of those before it, which are valid, are left
            out
        """
        of_job = "id" if kind is JOBS else "application_id"
        name = kind.filename
        expected = self.manifest.counts.get(kind.name, 0)
        if name not in self.manifest.files:
            return
        number = 0
        with self._zip.open(name) as entry:
            for number, line in entry.lines():
                if kind.is_single and number > 1:
                    raise BrokenArchive("The entry has more than one line.", name, number)
                if number > expected:
                    raise BrokenArchive(_OTHER_NUMBER, name, number)
                if after and orjson.loads(line)[of_job] <= after:
                    continue
                after = 0  # the rows are in the order of jobs
                try:
                    row = rows.decode(kind, line)
                except InvalidRow as error:
                    self._has_invalid_job |= kind is JOBS
                    self._refuse(kind, number, error.field or None, error.message)
                else:
                    yield Line(number, row, len(line))
            self._check_file(name, entry.bytes, entry.sha256)
        if number != expected:
            raise BrokenArchive(_OTHER_NUMBER, name)

    def others(self) -> dict[str, list[Line]]:
        """The rows that belong to no job, by the names of their kinds."""
        kinds = [kind for kind in ARCHIVE_KINDS if kind is not JOBS and kind not in _CHILDREN]
        found: dict[str, list[Line]] = {kind.name: [] for kind in kinds}
        size = 0
        for kind in kinds:
            for line in self.rows(kind):
                size = _added(size, kind, line, "The entry has too many rows.")
                found[kind.name].append(line)
        return found

    def jobs(self, start: int = 0) -> Iterator[JobRows]:
        """The jobs with all rows below them: the files of all kinds are in the order of jobs.

        :param start: the number of jobs to leave out, all of which are valid
        """
        last = self._id_of_job(start)
        children = [_Children(kind, self.rows(kind, last)) for kind in _CHILDREN]
        for job in self.rows(JOBS, last):
            job_id, size = job.row["id"], 0
            if job_id <= last:
                message = "The jobs are not in the order of their ids."
                raise BrokenArchive(message, JOBS.filename, job.number)
            last = job_id
            below: dict[str, list[Line]] = {each.kind.name: [] for each in children}
            for each in children:
                for line in self._of_job(each, job_id):
                    size = _added(size, each.kind, line, "A job has too much below it.")
                    below[each.kind.name].append(line)
            yield JobRows(job, below)
        for each in children:
            list(self._of_job(each, math.inf))  # reports those that are left

    def _of_job(self, children: "_Children", job_id: float) -> Iterator[Line]:
        """The rows of a job, after which those of the next ones follow; rows without their job are
        reported, unless that can be an invalid one."""
        for line in children.read(job_id):
            if line.row["application_id"] == job_id:
                yield line
            elif not self._has_invalid_job:
                message = "The archive has no job of this id."
                self._refuse(children.kind, line.number, "application_id", message)

    def _refuse(self, kind: Kind, line: int, field: str | None, message: str) -> None:
        self._invalid += 1
        if self._invalid > MAX_INVALID:
            message = f"More than {MAX_INVALID} rows are invalid."
            raise BrokenArchive(message, kind.filename, line)
        self._report(Problem(message, kind.filename, line, field))

    def read_document(self, path: str, max_bytes: int) -> bytes:
        """The file of a document."""
        with self._zip.open(path) as entry:
            content = entry.read(max_bytes)
            self._check_file(path, entry.bytes, entry.sha256)
        return content

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
            content = entry.read(MAX_MANIFEST)
        try:
            return Manifest.load(content)
        except InvalidManifest as error:
            raise BrokenArchive(str(error), FILENAME) from None

    def _check_entries(self) -> None:
        """Check that entries and manifest agree, as far as the central directory says."""
        counts, files = self.manifest.counts, self.manifest.files
        filenames = {kind.name: kind.filename for kind in ARCHIVE_KINDS}
        if not counts.keys() <= filenames.keys():
            raise BrokenArchive("The manifest counts rows of an unknown kind.", FILENAME)
        if sum(counts.values()) > MAX_ROWS:
            raise BrokenArchive(f"The archive has more than {MAX_ROWS} rows.", FILENAME)
        for name in self._zip.entries:
            if name == FILENAME:
                continue
            if name not in filenames.values() and not _DOCUMENT.fullmatch(name):
                raise BrokenArchive("The archive can have no entry of this name.", name)
            if name not in files:
                raise BrokenArchive("The manifest does not have the entry.", name)
        for name in (*files, *(filenames[kind] for kind, number in counts.items() if number)):
            if name not in files or name not in self._zip.entries:
                raise BrokenArchive("The entry is missing.", name)
            if self._zip.entries[name].file_size != files[name].bytes:
                raise BrokenArchive("The manifest has another size of the entry.", name)

    def _check_file(self, name: str, number: int, sha256: str) -> None:
        file = self.manifest.files[name]
        if (number, sha256) != (file.bytes, file.sha256):
            raise BrokenArchive("The entry has another SHA-256 than in the manifest.", name)


class _Children:
    """The rows of a kind below jobs, from the first to the last."""

    def __init__(self, kind: Kind, lines: Iterator[Line]) -> None:
        self.kind, self._lines = kind, lines
        self._last = (0, 0)
        self._next = self._read_next()

    def read(self, job_id: float) -> Iterator[Line]:
        """The next rows, to the last one of a job."""
        while (line := self._next) is not None and line.row["application_id"] <= job_id:
            self._next = self._read_next()
            yield line

    def _read_next(self) -> Line | None:
        line = next(self._lines, None)
        if line is not None:
            key = (line.row["application_id"], line.row["id"])
            if key <= self._last:
                message = "The rows are not in the order of application_id and id."
                raise BrokenArchive(message, self.kind.filename, line.number)
            self._last = key
        return line


def _added(size: int, kind: Kind, line: Line, message: str) -> int:
    """The bytes in memory with a further row; BrokenArchive if they are too many."""
    size += line.bytes + ROW_BYTES
    if size > MAX_BYTES:
        raise BrokenArchive(message, kind.filename, line.number)
    return size
