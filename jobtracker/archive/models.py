"""The table of the sources of archives."""

import uuid

from sqlalchemy import ForeignKeyConstraint, Uuid, text
from sqlalchemy.orm import Mapped, mapped_column

from jobtracker.db.base import Base


class ArchiveSource(Base):
    """The random id by which the archives of a user are known elsewhere: of this account at this
    installation. An import knows by it that rows with equal ids are the same."""

    __tablename__ = "archive_sources"
    __table_args__ = (ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),)

    user_id: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[uuid.UUID] = mapped_column(Uuid, server_default=text("gen_random_uuid()"))
