"""Alembic for the local database, which is always at the newest schema."""

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine

from jobtracker.local import CHECKOUT


def upgrade(engine: Engine) -> None:
    """Bring a database to the newest schema."""
    config = Config()
    config.set_main_option("script_location", str(CHECKOUT / "migrations").replace("%", "%%"))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
