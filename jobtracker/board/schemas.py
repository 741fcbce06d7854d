"""The JSON of the board."""

from colander import SchemaNode

from jobtracker import fields
from jobtracker.board.queries import CardRow
from jobtracker.jobs.models import Priority, Status
from jobtracker.jobs.schemas import TAGS, JobOut

JOB = {**JobOut.example, "last_action_at": None, "needs_follow_up": False}
CARD = {name: JOB[name] for name in CardRow._fields if name in JOB}


# More than the JSON of a board without its cards.
META_BYTES = 1024


class CardOut(fields.Schema):
    example = CARD

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
    tags = SchemaNode(TAGS)
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
