"""The sequences of primary keys, which a restore of the database sets back."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from jobtracker.db.base import Base

# More than the rows that a restore can lose, and few beside the integers of JavaScript: 2^53.
GAP = 1_000_000_000

_SEQUENCE = sa.func.pg_get_serial_sequence(sa.bindparam("table"), sa.bindparam("column"))
_ADVANCE = sa.select(sa.func.setval(_SEQUENCE, sa.func.nextval(_SEQUENCE) + GAP))


def advance(session: Session) -> None:
    """Advance all sequences by :data:`GAP`, so that no id of a lost row is given to another.

    Only the owner of the tables can.
    """
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            if column.identity is not None:
                session.execute(_ADVANCE, {"table": table.name, "column": column.name})
