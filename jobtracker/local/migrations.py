"""Alembic migrations of the local database, at each start."""

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine

from jobtracker.data import DATA


def upgrade(engine: Engine) -> None:
    """Upgrade the database to the newest revision."""
    config = Config()
    config.set_main_option("script_location", str(DATA / "migrations").replace("%", "%%"))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
