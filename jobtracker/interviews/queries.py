"""The SQL of interviews."""

import datetime
from typing import NamedTuple

from jobtracker.db.keyset import newest_first
from jobtracker.db.trashable_rows import TrashableRepository
from jobtracker.interviews.models import Interview


class InterviewRow(NamedTuple):
    user_id: int
    id: int
    application_id: int
    scheduled_at: datetime.datetime
    stage: str | None
    kind: str | None
    location: str | None
    interviewer: str | None
    status: str
    notes: str | None
    created_at: datetime.datetime
    updated_at: datetime.datetime


ORDER = newest_first(Interview, "scheduled_at")
INTERVIEWS = TrashableRepository(
    Interview,
    InterviewRow,
    owner_columns=Interview.OWNER_COLUMNS,
    order=ORDER,
    texts=[Interview.notes],
)
