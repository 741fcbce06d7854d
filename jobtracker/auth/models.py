"""The networks from which users have signed in."""

import datetime

from sqlalchemy import CheckConstraint, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from jobtracker.db.base import Base, timestamp


class SignInNetwork(Base):
    """A network from which the owner of an account has signed in, and when last, to the day.

    Both are hashes, keyed with that of :class:`SignInNetworkKey`.
    """

    __tablename__ = "sign_in_networks"
    __table_args__ = (Index(None, "signed_in_at"),)

    account_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    network_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    signed_in_at: Mapped[datetime.datetime] = timestamp()


class SignInNetworkKey(Base):
    """The random key of the hashes, in the only row, which its migration inserts: without a key all
    IPv4 addresses could be tried."""

    __tablename__ = "sign_in_network_keys"
    __table_args__ = (CheckConstraint("id = 1", name="single"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    key: Mapped[bytes] = mapped_column(LargeBinary)
