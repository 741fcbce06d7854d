"""Activity on the wire."""

from colander import SchemaNode

from jobtracker.activity.models import ActivityType
from jobtracker.activity.resources import DEFAULT_DAYS, DEFAULT_LIMIT, MAX_DAYS, MAX_LIMIT
from jobtracker.fields import (
    Choice,
    Counts,
    FreeFormObject,
    Integer,
    QueryInteger,
    Schema,
    Text,
    Timestamp,
)
from jobtracker.http.pagination import PageQuery


class ActivityQuery(PageQuery):
    limit = SchemaNode(QueryInteger(1, MAX_LIMIT, clamp=True), missing=DEFAULT_LIMIT)


class ActivityOut(Schema):
    example = {
        "id": 11,
        "application_id": 7,
        "type": "status_changed",
        "message": "Status changed to offer",
        "data": {"from": "applied", "to": "offer"},
        "created_at": "2026-11-23T09:30:00.000000Z",
    }

    id = SchemaNode(Integer())
    application_id = SchemaNode(Integer())
    type = SchemaNode(Choice(ActivityType))
    message = SchemaNode(Text())
    data = SchemaNode(FreeFormObject())
    created_at = SchemaNode(Timestamp())


class MetricsQuery(Schema):
    range_days = SchemaNode(QueryInteger(1, MAX_DAYS), missing=DEFAULT_DAYS)


class ActivityMetricsOut(Schema):
    example = {
        "range_days": 7,
        "total_events": 3,
        "per_type": {"note_added": 1, "status_changed": 2},
    }

    range_days = SchemaNode(Integer())
    total_events = SchemaNode(Integer())
    per_type = SchemaNode(Counts(ActivityType))
