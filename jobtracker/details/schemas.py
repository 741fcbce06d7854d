"""The JSON of a job with all that is below it."""

from colander import SchemaNode

from jobtracker.activity.resources import DEFAULT_LIMIT, MAX_LIMIT
from jobtracker.activity.schemas import ActivityOut
from jobtracker.fields import ListOf, Nested, QueryInteger, Schema, Text
from jobtracker.interviews.schemas import InterviewOut
from jobtracker.jobs.schemas import JobOut, NoteOut


class DetailsQuery(Schema):
    activity_limit = SchemaNode(QueryInteger(1, MAX_LIMIT, clamp=True), missing=DEFAULT_LIMIT)


class ActivityPageOut(Schema):
    example = {"items": [ActivityOut.example], "next_cursor": None}

    items = SchemaNode(ListOf(ActivityOut()))
    next_cursor = SchemaNode(Text(), nullable=True)


class DetailsOut(Schema):
    example = {
        "job": JobOut.example,
        "notes": [NoteOut.example],
        "interviews": [InterviewOut.example],
        "activity": ActivityPageOut.example,
    }

    job = SchemaNode(Nested(JobOut()))
    notes = SchemaNode(ListOf(NoteOut()))
    interviews = SchemaNode(ListOf(InterviewOut()))
    activity = SchemaNode(Nested(ActivityPageOut()))
