"""Cards: what is seen of a job among many."""

import datetime
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, and_, case, or_, select
from sqlalchemy.orm import Session

from jobtracker.db.base import NOW
from jobtracker.jobs.models import TERMINAL_STATUSES, Job, Status

#: After so long without activity, an open job needs a follow-up.
FOLLOW_UP_AFTER = datetime.timedelta(days=5)

#: What is to be done is due, or the job is open and nothing has happened for long.
NEEDS_FOLLOW_UP = or_(
    and_(Job.next_action_at.is_not(None), Job.next_action_at <= NOW),
    and_(Job.status.not_in(TERMINAL_STATUSES), Job.last_activity_at <= NOW - FOLLOW_UP_AFTER),
)

CARD: tuple[Any, ...] = (
    Job.id,
    Job.status,
    Job.company_name,
    Job.job_title,
    Job.location,
    Job.updated_at,
    Job.last_activity_at,
    Job.last_action_at,
    Job.next_action_at,
    Job.next_action_title,
    Job.priority,
    Job.tags,
    NEEDS_FOLLOW_UP.label("needs_follow_up"),
)

PLACE = case({status: place for place, status in enumerate(Status)}, value=Job.status)


def cards_of_user(db: Session, user_id: int) -> Sequence[Row[Any]]:
    """All of the user's jobs, in the order of their statuses, then latest activity first."""
    query = select(*CARD).where(Job.user_id == user_id)
    return db.execute(query.order_by(PLACE, Job.last_activity_at.desc(), Job.id.desc())).all()
