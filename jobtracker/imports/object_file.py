"""An object of S3 as a seekable file, read in blocks by ranged requests."""

import io
from collections import OrderedDict

from jobtracker.documents.storage import Bucket

BLOCK = 1024 * 1024
# Several entries of an archive are read in turn.
MAX_BLOCKS = 16
# The central directory of a zip is read at once: that of 20,000 entries has some megabytes.
MAX_READ = 8 * 1024 * 1024


class ReadTooLarge(Exception):
    """More than MAX_READ bytes were to be read at once."""


class InvalidOffset(OSError):
    """An offset is before the beginning."""


class ObjectFile(io.RawIOBase):
    """The bytes of an object of a certain ETag.

    Reading raises Unavailable when S3 fails, ObjectMissingOrChanged when the object was deleted or
    replaced, and ReadTooLarge.
    """

    def __init__(self, bucket: Bucket, key: str, *, size_bytes: int, etag: str) -> None:
        self._bucket, self._key, self._size, self._etag = bucket, key, size_bytes, etag
        self._position = 0
        self._blocks: OrderedDict[int, bytes] = OrderedDict()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise InvalidOffset
        self._position = start + offset
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        left = max(0, self._size - self._position)
        size = left if size is None or size < 0 else min(size, left)
        if size > MAX_READ:
            raise ReadTooLarge
        parts = []
        while size > 0:
            number, offset = divmod(self._position, BLOCK)
            part = self._block(number)[offset : offset + size]
            parts.append(part)
            self._position += len(part)
            size -= len(part)
        return b"".join(parts)

    def _block(self, number: int) -> bytes:
        if number in self._blocks:
            self._blocks.move_to_end(number)
            return self._blocks[number]
        start = number * BLOCK
        end = min(start + BLOCK, self._size)
        block = self._bucket.read(self._key, start, end, etag=self._etag)
        self._blocks[number] = block
        if len(self._blocks) > MAX_BLOCKS:
            self._blocks.popitem(last=False)
        return block
