"""The board on the wire."""

from colander import SchemaNode

from jobtracker.fields import (
    Boolean,
    Choice,
    Counts,
    Integer,
    ListOf,
    Nested,
    Schema,
    Text,
    TextList,
    Timestamp,
)
from jobtracker.jobs.models import Priority, Status
from jobtracker.jobs.schemas import Tags


class CardOut(Schema):
    """A job among many."""

    example = {
        "id": 7,
        "status": "applied",
        "company_name": "Acme",
        "job_title": "Engineer",
        "location": "Vienna",
        "updated_at": "2026-11-23T09:00:00.000000Z",
        "last_activity_at": "2026-11-23T09:30:00.000000Z",
        "last_action_at": None,
        "next_action_at": "2026-11-30T08:00:00.000000Z",
        "next_action_title": "Ask how it goes",
        "priority": "normal",
        "tags": ["remote"],
        "needs_follow_up": False,
    }

    id = SchemaNode(Integer())
    status = SchemaNode(Choice(Status))
    company_name = SchemaNode(Text())
    job_title = SchemaNode(Text())
    location = SchemaNode(Text(), nullable=True)
    updated_at = SchemaNode(Timestamp())
    last_activity_at = SchemaNode(Timestamp())
    last_action_at = SchemaNode(Timestamp(), nullable=True)
    next_action_at = SchemaNode(Timestamp(), nullable=True)
    next_action_title = SchemaNode(Text(), nullable=True)
    priority = SchemaNode(Choice(Priority))
    tags = SchemaNode(Tags())
    needs_follow_up = SchemaNode(Boolean())


class BoardMetaOut(Schema):
    example = {
        "counts": {status.value: int(status is Status.APPLIED) for status in Status},
        "total": 1,
    }

    counts = SchemaNode(Counts(Status))
    total = SchemaNode(Integer())


class BoardOut(Schema):
    example = {
        "statuses": list(Status),
        "jobs": [CardOut.example],
        "meta": BoardMetaOut.example,
    }

    statuses = SchemaNode(TextList(Choice(Status), max_items=len(Status)))
    jobs = SchemaNode(ListOf(CardOut()))
    meta = SchemaNode(Nested(BoardMetaOut()))
