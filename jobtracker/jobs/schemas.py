"""The JSON of jobs."""

from typing import Any

from colander import SchemaNode, drop

from jobtracker import fields
from jobtracker.http.pagination import PageQuery
from jobtracker.jobs import models
from jobtracker.jobs.models import MAX_NAME, Priority, Status
from jobtracker.jobs.queries import SORTS

# Of examples.
TIME = "2026-11-23T09:30:00.000000Z"

TAG = fields.Lowercase(max=models.MAX_TAG)
TAGS = fields.TextList(
    TAG, max_items=models.MAX_TAGS, normalize=models.normalize_tags, item_title="tag"
)

JOB: dict[str, Any] = {
    "company_name": "Acme",
    "job_title": "Engineer",
    "location": "Vienna",
    "status": "applied",
    "applied_date": "2026-11-23",
    "job_url": "https://acme.example/jobs/1",
    "tags": ["remote"],
    "priority": "normal",
    "next_action_at": "2026-11-30T08:00:00.000000Z",
    "next_action_title": "Ask how it goes",
    "last_action_at": "2026-11-23T09:00:00.000000Z",
}


class JobIn(fields.Schema):
    example = JOB

    company_name = SchemaNode(fields.Text(max=MAX_NAME))
    job_title = SchemaNode(fields.Text(max=MAX_NAME))
    location = SchemaNode(fields.Text(max=MAX_NAME), missing=None, nullable=True)
    status = SchemaNode(fields.Choice(Status), missing=Status.APPLIED)
    applied_date = SchemaNode(fields.Date(), missing=None, nullable=True)
    job_url = SchemaNode(
        fields.WebAddress(max=models.MAX_URL), title="job URL", missing=None, nullable=True
    )
    tags = SchemaNode(TAGS, missing=(), nullable=True, when_null=())
    priority = SchemaNode(fields.Choice(Priority), missing=Priority.NORMAL)
    next_action_at = SchemaNode(
        fields.Timestamp(), title="time of the next action", missing=None, nullable=True
    )
    next_action_title = SchemaNode(
        fields.Text(max=MAX_NAME), title="next action", missing=None, nullable=True
    )
    last_action_at = SchemaNode(
        fields.Timestamp(), title="time of the last action", missing=None, nullable=True
    )


JOB_PATCH = fields.merge_patch(JobIn(), "JobPatch", example={"status": "offer", "location": None})


class JobFilters(PageQuery):
    sort = SchemaNode(fields.Choice(SORTS), title="sort order", missing="activity")
    q = SchemaNode(fields.Text(max=MAX_NAME), title="search text", missing=drop, nullable=True)
    status = SchemaNode(
        fields.TextList(fields.Choice(Status), max_items=100, item_title="status"),
        title="statuses",
        missing=drop,
    )
    tag = SchemaNode(
        fields.TextList(TAG, max_items=100, item_title="tag"), title="tags", missing=drop
    )
    tag_q = SchemaNode(
        fields.Text(max=models.MAX_TAG), title="text of a tag", missing=drop, nullable=True
    )


class JobChildOut(fields.RowOut):
    """The first fields of a row below a job."""

    application_id = SchemaNode(fields.Integer())


class JobOut(JobIn, fields.RowOut):
    example = {
        "id": 7,
        **JOB,
        "created_at": "2026-11-23T09:00:00.000000Z",
        "updated_at": "2026-11-23T09:00:00.000000Z",
        "last_activity_at": TIME,
    }

    job_url = SchemaNode(fields.Text(), nullable=True)
    tags = SchemaNode(TAGS)
    created_at = SchemaNode(fields.Timestamp())
    updated_at = SchemaNode(fields.Timestamp())
    last_activity_at = SchemaNode(fields.Timestamp())


class NoteOut(JobChildOut):
    """A note, as a job embeds it and as the notes' own endpoints return it."""

    example = {"id": 3, "application_id": 7, "body": "They called back.", "created_at": TIME}

    body = SchemaNode(fields.Text())
    created_at = SchemaNode(fields.Timestamp())


class JobWithNotesOut(JobOut):
    example = {**JobOut.example, "notes": [NoteOut.example]}

    notes = SchemaNode(fields.ListOf(NoteOut()))
