"""The comparison of rows with the objects of the bucket, after a restore of the database.

Both are read in the order of keys, some at a time. Requests can run meanwhile: what differs is
looked up again before it counts.
"""

import contextlib
import heapq
import itertools
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sqlalchemy.orm import Session, sessionmaker

from jobtracker.db.connections import transaction
from jobtracker.db.engine import disable_timeouts_of_transaction
from jobtracker.documents import key_queries
from jobtracker.documents.key_queries import KeyRow
from jobtracker.documents.storage import Bucket

BATCH = 1000
# The user of a key: see DocumentCollection.create_pending().
USER_OF_KEY = re.compile(r"[a-z]+/([0-9]{1,18})/")


class MissingObject(NamedTuple):
    """A row, such as a document, whose object does not exist."""

    user_id: int
    kind: str
    row_id: int
    object_key: str


class UnreferencedObject(NamedTuple):
    """An object that no row refers to."""

    object_key: str


Difference = MissingObject | UnreferencedObject


def differences(sessions: sessionmaker[Session], bucket: Bucket) -> Iterator[Difference]:
    """The differences between the rows and the bucket; nothing is changed.

    :raises Unavailable: when S3 fails
    """
    with sessions() as session:
        disable_timeouts_of_transaction(session.connection())
        with contextlib.closing(key_queries.all_keys(session, BATCH)) as rows:
            found = _merge(rows, bucket.keys())
            while batch := list(itertools.islice(found, BATCH)):
                yield from _confirm(sessions, batch)


def _merge(rows: Iterable[KeyRow], objects: Iterable[str]) -> Iterator[Difference]:
    """The differences of two sequences in the order of keys."""
    merged = heapq.merge(
        ((row.object_key, row) for row in rows),
        ((key, None) for key in objects),
        key=lambda pair: pair[0],
    )
    for key, pairs in itertools.groupby(merged, key=lambda pair: pair[0]):
        of_key = [row for _key, row in pairs]
        exists = None in of_key
        of_rows = [row for row in of_key if row is not None]
        if not of_rows:
            yield UnreferencedObject(key)
        for row in of_rows:
            if row.is_required and row.kind and row.row_id and not exists:
                yield MissingObject(row.user_id, row.kind, row.row_id, key)


def _confirm(sessions: sessionmaker[Session], batch: list[Difference]) -> Iterator[Difference]:
    """Those of the differences that are not a matter of concurrent requests."""
    users = {int(match[1]) for each in batch if (match := USER_OF_KEY.match(each.object_key))}
    with transaction(sessions) as connection:
        rows = key_queries.keys_of(connection, users, [each.object_key for each in batch])
    known = {row.object_key for row in rows}
    required = {row.object_key for row in rows if row.is_required}
    for each in batch:
        if isinstance(each, MissingObject):
            if each.object_key in required:
                yield each
        elif each.object_key not in known:
            yield each
