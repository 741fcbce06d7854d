"""The JSON of steps."""

import datetime
from typing import Any

from colander import SchemaNode

from jobtracker.fields import Choice, InvalidValue, Schema, Timestamp
from jobtracker.history.models import EARLIEST
from jobtracker.jobs.models import Status
from jobtracker.jobs.schemas import TIME, JobChildOut

# By how much the client's clock can be ahead of the server's.
SKEW = datetime.timedelta(minutes=1)


class PastMoment(Timestamp):
    """A timestamp that is not in the future, from 1970 on."""

    def parse(self, node: Any, value: Any) -> datetime.datetime | None:
        moment = super().parse(node, value)
        if moment and moment < EARLIEST:
            raise InvalidValue(node, "Must not be before 1970.", "greater_than_equal")
        if moment and moment > datetime.datetime.now(datetime.UTC) + SKEW:
            raise InvalidValue(node, "Must not be in the future.", "less_than_equal")
        return moment


class StepIn(Schema):
    example = {"status": "interviewing", "at": "2026-11-20T13:00:00.000000Z"}

    status = SchemaNode(Choice(Status))
    at = SchemaNode(PastMoment(), title="time of the step", missing=None, nullable=True)


class StepOut(StepIn, JobChildOut):
    example = {"id": 9, "application_id": 7, **StepIn.example, "created_at": TIME}

    at = SchemaNode(Timestamp())
    created_at = SchemaNode(Timestamp())
