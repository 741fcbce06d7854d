"""The SQL of steps."""

import datetime
from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import DateTime, bindparam, func, insert

from jobtracker.db.base import NOW
from jobtracker.db.connections import SupportsExecute
from jobtracker.db.keyset import Key, Sort
from jobtracker.db.statements import Repository, Statement, columns_of, new_values
from jobtracker.history.models import JobStep


class StepRow(NamedTuple):
    user_id: int
    id: int
    application_id: int
    status: str
    at: datetime.datetime
    created_at: datetime.datetime

    def __repr__(self) -> str:
        return f"<JobStep {self.id} {self.status} {self.at}>"


STEPS = Repository(
    JobStep,
    StepRow,
    owner=("user_id", "application_id"),
    order=Sort(Key(JobStep.at), Key(JobStep.id)),
)

_AFTER = bindparam("after", type_=DateTime(timezone=True))
_INSERT_NOW = Statement(
    insert(JobStep.__table__)
    .values(
        {
            **new_values(JobStep, ["user_id", "application_id", "status"]),
            "at": func.greatest(NOW, _AFTER),
        }
    )
    .returning(*columns_of(JobStep, StepRow)),
    StepRow,
)


def insert_now(
    connection: SupportsExecute, owner: Mapping[str, int], status: str, after: datetime.datetime
) -> StepRow:
    """Insert a step of now, but not before the job's latest step."""
    new = {f"new_{name}": value for name, value in owner.items()}
    return _INSERT_NOW.one(connection, **new, new_status=status, after=after)
