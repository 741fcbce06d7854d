"""Reads the entries of a zip that anybody can have made: bounded, and none by its name alone.

Nothing is written to a file system. What the list of entries says is checked before any of them is
inflated, and bytes are counted while they are.
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

from jobtracker.imports.object_file import ReadTooLarge
from jobtracker.imports.problems import BrokenArchive

MAX_ENTRIES = 20_000
#: Of all entries, inflated.
MAX_INFLATED = 2 * 1024**3
#: Of inflated bytes to deflated ones, beyond so many bytes.
MAX_RATIO, RATIO_FROM = 200, 64 * 1024**2
#: Of a line in UTF-8. A row has 100 KB at most.
MAX_LINE = 512 * 1024
CHUNK = 64 * 1024

_ENCRYPTED = 0x1 | 0x40 | 0x2000
_HEADER = 30  # bytes of the header of an entry, without its name
_DRIVE = re.compile("[A-Za-z]:")
_DAMAGED = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, OverflowError)
_UNSUPPORTED = (NotImplementedError, RuntimeError)


class ZipReader:
    """A zip whose list of entries is as it has to be.

    :raises BrokenArchive: when it is not
    """

    def __init__(self, file: io.RawIOBase) -> None:
        try:
            self._archive = zipfile.ZipFile(cast(IO[bytes], file))
        except ReadTooLarge:
            raise BrokenArchive(f"The archive has more than {MAX_ENTRIES} entries.") from None
        except (*_DAMAGED, *_UNSUPPORTED):
            raise BrokenArchive("The file is no zip archive, or it is damaged.") from None
        #: By their names.
        self.entries: dict[str, zipfile.ZipInfo] = {}
        self._left, self._inflated, self._deflated = MAX_INFLATED, 0, 0
        infos = self._archive.infolist()
        if len(infos) > MAX_ENTRIES:
            raise BrokenArchive(f"The archive has more than {MAX_ENTRIES} entries.")
        for info in infos:
            _check(info)
            if info.filename in self.entries:
                raise BrokenArchive("The archive has two entries of this name.", info.filename)
            self.entries[info.filename] = info
        if sum(info.file_size for info in infos) > MAX_INFLATED:
            raise _too_large()
        _check_overlaps(infos)

    def rewind(self) -> None:
        """Count the bytes anew: all entries are read another time."""
        self._left, self._inflated, self._deflated = MAX_INFLATED, 0, 0

    @contextmanager
    def open(self, name: str) -> Iterator["Entry"]:
        """The entry of a name."""
        info = self.entries[name]
        with _translated_errors(name):
            file = self._archive.open(info)
        with file:
            yield Entry(self, info, file)

    def count(self, info: zipfile.ZipInfo, number: int, read: int) -> None:
        """Count bytes that were inflated; BrokenArchive if they are too many.

        :param read: the bytes of the entry until now
        """
        self._left -= number
        if self._left < 0:
            raise _too_large(info.filename)
        if read > RATIO_FROM and read > MAX_RATIO * max(1, info.compress_size):
            raise BrokenArchive("The entry is suspiciously small for what it has.", info.filename)


class Entry:
    """An entry that is read from its beginning."""

    def __init__(self, reader: ZipReader, info: zipfile.ZipInfo, file: IO[bytes]) -> None:
        self._reader, self._info, self._file = reader, info, file
        self.name, self.bytes, self._sha256 = info.filename, 0, hashlib.sha256()

    @property
    def sha256(self) -> str:
        """Of what was read, in hexadecimal."""
        return self._sha256.hexdigest()

    def chunks(self) -> Iterator[bytes]:
        while True:
            with _translated_errors(self.name):
                chunk = self._file.read(CHUNK)
            if not chunk:
                return
            self.bytes += len(chunk)
            self._reader.count(self._info, len(chunk), self.bytes)
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
        """The lines, from 1, without their ends."""
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


def _too_large(name: str = "") -> BrokenArchive:
    return BrokenArchive(f"The archive has more than {MAX_INFLATED} bytes uncompressed.", name)


def _check(info: zipfile.ZipInfo) -> None:
    """Check an entry by what the list says of it."""
    name = info.orig_filename
    kind = stat.S_IFMT(info.external_attr >> 16)
    shown = name.replace("\0", "\ufffd")[:255]
    problem = ""
    if "\0" in name or "\\" in name or name.startswith("/") or _DRIVE.match(name):
        problem = "The name of the entry is absolute, or has characters that names cannot have."
    elif any(part in ("", ".", "..") for part in name.removesuffix("/").split("/")):
        problem = "The name of the entry leads to another folder."
    elif info.is_dir():
        problem = "The entry is a folder."
    elif kind not in (0, stat.S_IFREG):
        problem = "The entry is a link, or another kind of file."
    elif info.flag_bits & _ENCRYPTED:
        problem = "The entry is encrypted."
    elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        problem = "The entry is compressed in an unknown way."
    if problem:
        raise BrokenArchive(problem, shown)


def _check_overlaps(infos: list[zipfile.ZipInfo]) -> None:
    """Check that no byte belongs to two entries."""
    end = 0
    for info in sorted(infos, key=lambda each: each.header_offset):
        if info.header_offset < end:
            raise BrokenArchive("The entry overlaps with another one.", info.filename)
        end = info.header_offset + _HEADER + info.compress_size
