"""The JSON of the usage."""

from colander import SchemaNode

from jobtracker import fields
from jobtracker.quotas import QUOTAS


class QuotaOut(fields.Schema):
    example = {"used": 12, "limit": 1000}

    used = SchemaNode(fields.Integer())
    limit = SchemaNode(fields.Integer())


class TrashUsageOut(fields.Schema):
    example = {"count": 3, "bytes": 48213}

    count = SchemaNode(fields.Integer())
    bytes = SchemaNode(fields.Integer())


class UsageOut(fields.Schema):
    example = {**dict.fromkeys(QUOTAS, QuotaOut.example), "trash": TrashUsageOut.example}

    jobs = SchemaNode(fields.Nested(QuotaOut()))
    notes_per_job = SchemaNode(fields.Nested(QuotaOut()))
    interviews_per_job = SchemaNode(fields.Nested(QuotaOut()))
    history_per_job = SchemaNode(fields.Nested(QuotaOut()))
    activity_per_job = SchemaNode(fields.Nested(QuotaOut()))
    documents = SchemaNode(fields.Nested(QuotaOut()))
    document_bytes = SchemaNode(fields.Nested(QuotaOut()))
    saved_views = SchemaNode(fields.Nested(QuotaOut()))
    idempotency_keys = SchemaNode(fields.Nested(QuotaOut()))
    trash = SchemaNode(fields.Nested(TrashUsageOut()))
