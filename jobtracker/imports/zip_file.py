"""Reads the entries of a zip from an untrusted source, in bounded memory.

Nothing is written to a file system. The central directory is checked before an entry is inflated,
and zipfile inflates no more of an entry than the size that is given there.
"""

import hashlib
import io
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, cast

from jobtracker.imports.object_file import InvalidOffset, ReadTooLarge
from jobtracker.imports.problems import BrokenArchive

MAX_ENTRIES = 20_000
#: Bytes of all entries, uncompressed.
MAX_INFLATED = 2 * 1024**3
#: Of uncompressed bytes to compressed ones, in an entry of more than so many bytes.
MAX_RATIO, RATIO_FROM = 200, 64 * 1024**2
#: Bytes of a line. A row has 100 KB at most.
MAX_LINE = 512 * 1024
CHUNK = 64 * 1024

_ENCRYPTED = 0x1 | 0x40 | 0x2000
_LOCAL_HEADER = 30  # bytes, without name and extra field
_DRIVE = re.compile("[A-Za-z]:")
_DAMAGED = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, InvalidOffset)
_UNSUPPORTED = (NotImplementedError, RuntimeError)


class ZipReader:
    """A zip whose central directory is valid.

    :raises BrokenArchive: if it is not, as all methods do
    """

    def __init__(self, file: io.RawIOBase) -> None:
        try:
            self._archive = zipfile.ZipFile(cast(IO[bytes], file))
        except ReadTooLarge:
            raise _too_many_entries() from None
        except (*_DAMAGED, *_UNSUPPORTED):
            raise BrokenArchive("The file is no zip archive, or it is damaged.") from None
        infos = self._archive.infolist()
        if len(infos) > MAX_ENTRIES:
            raise _too_many_entries()
        #: By their names.
        self.entries: dict[str, zipfile.ZipInfo] = {}
        for info in infos:
            _check(info)
            if info.filename in self.entries:
                raise BrokenArchive("The archive has two entries of this name.", info.filename)
            self.entries[info.filename] = info
        if sum(info.file_size for info in infos) > MAX_INFLATED:
            raise BrokenArchive(f"The archive has more than {MAX_INFLATED} bytes uncompressed.")
        _check_overlaps(infos, self._archive.start_dir)

    @contextmanager
    def open(self, name: str) -> Iterator["Entry"]:
        """The entry of a name, from its beginning."""
        with _translated_errors(name):
            file = self._archive.open(self.entries[name])
        with file:
            yield Entry(name, file)


class Entry:
    """An entry that is read; ``bytes`` is the number of those until now."""

    def __init__(self, name: str, file: IO[bytes]) -> None:
        self.name, self._file = name, file
        self.bytes, self._sha256 = 0, hashlib.sha256()

    @property
    def sha256(self) -> str:
        """Of these bytes, in hexadecimal."""
        return self._sha256.hexdigest()

    def chunks(self) -> Iterator[bytes]:
        while True:
            with _translated_errors(self.name):
                chunk = self._file.read(CHUNK)
            if not chunk:
                return
            self.bytes += len(chunk)
            self._sha256.update(chunk)
            yield chunk

    def read(self, max_bytes: int) -> bytes:
        """All of it; BrokenArchive if that is more."""
        chunks = []
        for chunk in self.chunks():
            chunks.append(chunk)
            if self.bytes > max_bytes:
                raise BrokenArchive(f"The entry has more than {max_bytes} bytes.", self.name)
        return b"".join(chunks)

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """The lines, numbered from 1, without their ends."""
        number, pending = 0, b""
        for chunk in self.chunks():
            *lines, pending = (pending + chunk).split(b"\n")
            for line in lines:
                number += 1
                self._check_length(number, line)
                yield number, line
            self._check_length(number + 1, pending)
        if pending:
            yield number + 1, pending

    def _check_length(self, number: int, line: bytes) -> None:
        if len(line) > MAX_LINE:
            raise BrokenArchive(f"The line has more than {MAX_LINE} bytes.", self.name, number)


@contextmanager
def _translated_errors(name: str) -> Iterator[None]:
    try:
        yield
    except (*_DAMAGED, ReadTooLarge):
        raise BrokenArchive("The entry is damaged.", name) from None
    except _UNSUPPORTED:
        raise BrokenArchive(
            "The entry is encrypted, or compressed in an unknown way.", name
        ) from None


def _too_many_entries() -> BrokenArchive:
    return BrokenArchive(
        f"The archive has more than {MAX_ENTRIES} entries, or a central directory that is too"
        " large for them."
    )


def _check(info: zipfile.ZipInfo) -> None:
    """Check an entry by the central directory."""
    name = info.orig_filename
    kind = stat.S_IFMT(info.external_attr >> 16)
    problem = ""
    if "\0" in name or "\\" in name or name.startswith("/") or _DRIVE.match(name):
        problem = "The name of the entry is absolute, or has characters that names cannot have."
    elif any(part in ("", ".", "..") for part in name.removesuffix("/").split("/")):
        problem = "The name of the entry leads to another folder."
    elif info.filename != name:  # that of the extra field 0x7075, which zipfile prefers
        problem = "The entry has two names."
    elif info.is_dir():
        problem = "The entry is a folder."
    elif kind not in (0, stat.S_IFREG):
        problem = "The entry is a link, or another kind of file."
    elif info.flag_bits & _ENCRYPTED:
        problem = "The entry is encrypted."
    elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        problem = "The entry is compressed in an unknown way."
    elif info.file_size > max(RATIO_FROM, MAX_RATIO * info.compress_size):
        problem = "The entry is suspiciously small for what it has."
    if problem:
        raise BrokenArchive(problem, name)


def _check_overlaps(infos: list[zipfile.ZipInfo], end_of_entries: int) -> None:
    """Check that no byte belongs to two entries, or to an entry and the central directory."""
    end = 0
    for info in sorted(infos, key=lambda each: each.header_offset):
        if info.header_offset < end:
            raise BrokenArchive("The entry overlaps with another one.", info.filename)
        end = info.header_offset + _LOCAL_HEADER + info.compress_size
        if end > end_of_entries:
            raise BrokenArchive("The entry overlaps with the central directory.", info.filename)
