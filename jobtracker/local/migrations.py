"""Alembic migrations of the local database, at each start."""

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine

from jobtracker.data import DATA


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Upgrade the database to a revision, by default the newest."""
    config = Config()
    config.set_main_option("script_location", str(DATA / "migrations").replace("%", "%%"))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
