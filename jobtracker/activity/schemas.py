"""The JSON of activity."""

from colander import SchemaNode

from jobtracker import fields
from jobtracker.activity.resources import DEFAULT_DAYS, DEFAULT_LIMIT, MAX_DAYS, MAX_LIMIT
from jobtracker.http.pagination import PageQuery
from jobtracker.jobs.models import ACTIVITY_TYPES
from jobtracker.jobs.schemas import TIME, JobChildOut


class ActivityQuery(PageQuery):
    limit = SchemaNode(fields.QueryInteger(1, MAX_LIMIT, clamp=True), missing=DEFAULT_LIMIT)


class ActivityOut(JobChildOut):
    example = {
        "id": 11,
        "application_id": 7,
        "type": "status_changed",
        "message": "Status changed to offer",
        "data": {"from": "applied", "to": "offer"},
        "created_at": TIME,
    }

    type = SchemaNode(fields.Choice(ACTIVITY_TYPES))
    message = SchemaNode(fields.Text())
    data = SchemaNode(fields.FreeFormObject())
    created_at = SchemaNode(fields.Timestamp())


class MetricsQuery(fields.Schema):
    range_days = SchemaNode(
        fields.QueryInteger(1, MAX_DAYS), title="number of days", missing=DEFAULT_DAYS
    )


class ActivityMetricsOut(fields.Schema):
    example = {
        "range_days": 7,
        "total_events": 3,
        "per_type": {"note_added": 1, "status_changed": 2},
    }

    range_days = SchemaNode(fields.Integer())
    total_events = SchemaNode(fields.Integer())
    per_type = SchemaNode(fields.Counts(ACTIVITY_TYPES))
