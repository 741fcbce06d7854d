"""Random keys in the database, which all processes share; :func:`find_or_make` makes one on its
first use."""

import os
from typing import NamedTuple

from sqlalchemy import LargeBinary, bindparam, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from jobtracker.db import statements
from jobtracker.db.base import Base
from jobtracker.db.connections import SupportsExecute
from jobtracker.db.statements import Command, Statement

KEY_BYTES = 32


class SigningKey(Base):
    """A key, by the name of what it signs or hashes."""

    __tablename__ = "signing_keys"

    name: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[bytes] = mapped_column(LargeBinary)


class KeyRow(NamedTuple):
    name: str
    key: bytes


_FIND = Statement(
    select(SigningKey.name, SigningKey.key).where(SigningKey.name == bindparam("name")), KeyRow
)
_MAKE = Command(
    insert(SigningKey.__table__)
    .values(statements.new_values(SigningKey, KeyRow._fields))
    .on_conflict_do_nothing()
)


def find_or_make(connection: SupportsExecute, name: str) -> bytes:
    """The key of that name; concurrent first uses make one.

    :param connection: one that commits each statement: a key must not be rolled back
    """
    row = _FIND.first(connection, name=name)
    if row is None:
        new = KeyRow(name, os.urandom(KEY_BYTES))
        _MAKE.execute(connection, **statements.new_parameters(new._asdict()))
        row = _FIND.first_or_not_found(connection, name=name)
    return row.key
