"""The JSON of contacts."""

from colander import SchemaNode

from jobtracker import fields

from .models import MAX_NAME


class ContactIn(fields.Schema):
    example = {"name": "Grace Hopper"}

    name = SchemaNode(fields.Text(max=MAX_NAME))


class ContactOut(fields.Schema):
    example = {"id": 2, "application_id": 7, **ContactIn.example}

    id = SchemaNode(fields.Integer())
    application_id = SchemaNode(fields.Integer())
    name = SchemaNode(fields.Text())
