"""The query and the file of reports."""

from colander import SchemaNode

from jobtracker import fields
from jobtracker.jobs.models import Status
from jobtracker.reports.resources import Application

COLUMNS = Application._fields


class ApplicationsQuery(fields.Schema):
    since = SchemaNode(
        fields.Date(), name="from", title="start of the period", missing=None, nullable=True
    )
    until = SchemaNode(
        fields.Date(), name="to", title="end of the period", missing=None, nullable=True
    )
    status = SchemaNode(
        fields.CommaList(fields.Choice(Status), max_items=100, item_title="status"),
        title="statuses",
        missing=(),
    )
    tz = SchemaNode(fields.TimeZone(), title="time zone", missing=fields.TimeZone.UTC)
    columns = SchemaNode(
        fields.CommaList(fields.Choice(COLUMNS), max_items=len(COLUMNS), item_title="column"),
        title="columns",
        missing=COLUMNS,
    )
