"""The networks from which users have signed in."""

import datetime

from sqlalchemy import Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from jobtracker.db.base import Base, timestamp


class SignInNetwork(Base):
    """A network from which the owner of an account has signed in, and when last, to the day.

    Both are hashes with a signing key: without one all IPv4 addresses could be tried.
    """

    __tablename__ = "sign_in_networks"
    __table_args__ = (Index(None, "signed_in_at"),)

    account_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    network_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    signed_in_at: Mapped[datetime.datetime] = timestamp()
