"""The board on the wire."""

from colander import SchemaNode

from jobtracker import fields
from jobtracker.jobs.models import Priority, Status
from jobtracker.jobs.schemas import Tags


class CardOut(fields.Schema):
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

    id = SchemaNode(fields.Integer())
    status = SchemaNode(fields.Choice(Status))
    company_name = SchemaNode(fields.Text())
    job_title = SchemaNode(fields.Text())
    location = SchemaNode(fields.Text(), nullable=True)
    updated_at = SchemaNode(fields.Timestamp())
    last_activity_at = SchemaNode(fields.Timestamp())
    last_action_at = SchemaNode(fields.Timestamp(), nullable=True)
    next_action_at = SchemaNode(fields.Timestamp(), nullable=True)
    next_action_title = SchemaNode(fields.Text(), nullable=True)
    priority = SchemaNode(fields.Choice(Priority))
    tags = SchemaNode(Tags())
    needs_follow_up = SchemaNode(fields.Boolean())


class BoardMetaOut(fields.Schema):
    example = {
        "counts": {status.value: int(status is Status.APPLIED) for status in Status},
        "total": 1,
    }

    counts = SchemaNode(fields.Counts(tuple(Status)))
    total = SchemaNode(fields.Integer())


class BoardOut(fields.Schema):
    example = {"statuses": list(Status), "jobs": [CardOut.example], "meta": BoardMetaOut.example}

    statuses = SchemaNode(fields.TextList(fields.Choice(Status), max_items=len(Status)))
    jobs = SchemaNode(fields.ListOf(CardOut()))
    meta = SchemaNode(fields.Nested(BoardMetaOut()))
