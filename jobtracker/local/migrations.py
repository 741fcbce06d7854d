"""Alembic migrations of the local database, at each start."""

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine

from jobtracker.local import CHECKOUT


def upgrade(engine: Engine) -> None:
    """Upgrade the database to the newest revision."""
    config = Config()
    config.set_main_option("script_location", str(CHECKOUT / "migrations").replace("%", "%%"))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
