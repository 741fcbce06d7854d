"""The JSON of audit entries."""

from colander import SchemaNode

from jobtracker import fields
from jobtracker.audit.models import AuditKind
from jobtracker.db.keyset import MAX_LIMIT
from jobtracker.http.pagination import PageQuery

DEFAULT_LIMIT = 50


class AuditQuery(PageQuery):
    limit = SchemaNode(fields.QueryInteger(1, MAX_LIMIT), missing=DEFAULT_LIMIT)


class AuditEntryOut(fields.RowOut):
    example = {
        "id": 12,
        "kind": "sign_in_failed",
        "at": "2026-11-23T09:00:00.000000Z",
        "last_at": "2026-11-23T09:04:00.000000Z",
        "count": 3,
        "client": "5d41402abc4b",
        "session": None,
        "current": False,
        "request_id": "0af7651916cd43dd8448eb211c80319c",
    }

    kind = SchemaNode(fields.Choice(AuditKind))
    at = SchemaNode(fields.Timestamp())
    last_at = SchemaNode(fields.Timestamp())
    count = SchemaNode(fields.Integer())
    client = SchemaNode(fields.Text(), nullable=True)
    session = SchemaNode(fields.Text(), nullable=True)
    current = SchemaNode(fields.Boolean())
    request_id = SchemaNode(fields.Text(), nullable=True)
