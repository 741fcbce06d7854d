"""The JSON of statistics."""

from colander import SchemaNode

from jobtracker.fields import Choice, DateOrDatetime, Integer, ListOf, Number, Schema
from jobtracker.jobs.models import OUTCOMES, Status
from jobtracker.stats.models import STAGES


class FunnelQuery(Schema):
    since = SchemaNode(
        DateOrDatetime(), name="from", title="start of the period", missing=None, nullable=True
    )
    until = SchemaNode(
        DateOrDatetime(), name="to", title="end of the period", missing=None, nullable=True
    )


class StageOut(Schema):
    example = {"stage": "applied", "reached": 40, "conversion": 0.25, "median_days": 6.5}

    stage = SchemaNode(Choice(STAGES))
    reached = SchemaNode(Integer())
    conversion = SchemaNode(Number(), nullable=True)
    median_days = SchemaNode(Number(), nullable=True)


class OutcomeOut(Schema):
    example = {"source": "interview", "outcome": "rejected", "count": 3}

    source = SchemaNode(Choice(STAGES[:-1]), nullable=True)
    outcome = SchemaNode(Choice(OUTCOMES))
    count = SchemaNode(Integer())


class EdgeOut(Schema):
    example = {"from": "applied", "to": "interviewing", "count": 9}

    came_from = SchemaNode(Choice(Status), name="from")
    to = SchemaNode(Choice(Status))
    count = SchemaNode(Integer())


class FunnelOut(Schema):
    example = {
        "stages": [StageOut.example],
        "outcomes": [OutcomeOut.example],
        "edges": [EdgeOut.example],
        "total": 42,
    }

    stages = SchemaNode(ListOf(StageOut()))
    outcomes = SchemaNode(ListOf(OutcomeOut()))
    edges = SchemaNode(ListOf(EdgeOut()))
    total = SchemaNode(Integer())
