"""The sequences of primary keys, which a restore of the database sets back."""

import psycopg
from sqlalchemy import text
from sqlalchemy.orm import Session

from jobtracker.db.base import Base

# More than the rows that a restore can lose, and few beside the integers of JavaScript: 2^53.
GAP = 1_000_000_000

# A worker of Citus has the distributed tables alone.
_ADVANCE = """
    SELECT sum(setval(sequence, nextval(sequence) + {gap})) FROM (
        SELECT pg_get_serial_sequence(name, id)::regclass AS sequence
        FROM (VALUES {columns}) AS columns (name, id) WHERE to_regclass(name) IS NOT NULL
    ) AS sequences
"""
_HAS_CITUS = text("SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus')")
_ON_WORKERS = text("SELECT result FROM run_command_on_workers(:command) WHERE NOT success")


def advance(session: Session) -> None:
    """Advance all sequences by :data:`GAP`, so that no id of a lost row is given to another: those
    of the workers of Citus too, which give the ids of what triggers insert.

    Only the owner of the tables can.
    """
    columns = ", ".join(
        f"('{table.name}', '{column.name}')"
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if column.identity is not None
    )
    command = _ADVANCE.format(gap=GAP, columns=columns)
    session.execute(text(command))
    if session.execute(_HAS_CITUS).scalar():
        for error in session.execute(_ON_WORKERS, {"command": command}).scalars():
            raise psycopg.OperationalError(error)
