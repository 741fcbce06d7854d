"""The database of server processes."""

from sqlalchemy import create_engine

from jobtracker.local import migrations


def migrate(url: str) -> None:
    """Bring a database to the newest schema."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    migrations.upgrade(engine)
    engine.dispose()
