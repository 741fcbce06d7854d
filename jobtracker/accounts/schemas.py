"""The JSON of what a deletion comprises."""

from colander import SchemaNode

from jobtracker import fields


class CountsOut(fields.Schema):
    example = {
        "jobs": 12,
        "notes": 30,
        "interviews": 5,
        "documents": 4,
        "saved_views": 2,
        "activity": 160,
        "history": 41,
    }

    jobs = SchemaNode(fields.Integer())
    notes = SchemaNode(fields.Integer())
    interviews = SchemaNode(fields.Integer())
    documents = SchemaNode(fields.Integer())
    saved_views = SchemaNode(fields.Integer())
    activity = SchemaNode(fields.Integer())
    history = SchemaNode(fields.Integer())


class DeletionOut(fields.Schema):
    example = {"counts": CountsOut.example, "document_bytes": 482133, "objects": 4, "grace_days": 0}

    counts = SchemaNode(fields.Nested(CountsOut()))
    document_bytes = SchemaNode(fields.Integer())
    objects = SchemaNode(fields.Integer())
    grace_days = SchemaNode(fields.Integer())
