"""The JSON of the retention."""

from colander import SchemaNode

from jobtracker import fields


class RetentionOut(fields.Schema):
    example = {
        "days": 90,
        "effective_from": "2026-11-30T09:00:00.000000Z",
        "due_jobs": 3,
        "next_at": "2026-12-04T16:20:00.000000Z",
    }

    days = SchemaNode(fields.Integer())
    effective_from = SchemaNode(fields.Timestamp(), nullable=True)
    due_jobs = SchemaNode(fields.Integer())
    next_at = SchemaNode(fields.Timestamp(), nullable=True)
