"""The JSON of the usage."""

from colander import SchemaNode

from jobtracker import fields
from jobtracker.usage.queries import UsageRow


class QuotaOut(fields.Schema):
    example = {"used": 12, "limit": 1000}

    used = SchemaNode(fields.Integer())
    limit = SchemaNode(fields.Integer())


class UsageOut(fields.Schema):
    example = dict.fromkeys(UsageRow._fields, QuotaOut.example)

    jobs = SchemaNode(fields.Nested(QuotaOut()))
    notes_per_job = SchemaNode(fields.Nested(QuotaOut()))
    interviews_per_job = SchemaNode(fields.Nested(QuotaOut()))
    history_per_job = SchemaNode(fields.Nested(QuotaOut()))
    activity_per_job = SchemaNode(fields.Nested(QuotaOut()))
    documents = SchemaNode(fields.Nested(QuotaOut()))
    document_bytes = SchemaNode(fields.Nested(QuotaOut()))
    saved_views = SchemaNode(fields.Nested(QuotaOut()))
    idempotency_keys = SchemaNode(fields.Nested(QuotaOut()))
