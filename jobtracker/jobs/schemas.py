"""The JSON of jobs."""

from collections.abc import Iterable

from colander import SchemaNode, drop

from jobtracker.fields import (
    Choice,
    Date,
    Integer,
    ListOf,
    Lowercase,
    Schema,
    Text,
    TextList,
    Timestamp,
    WebAddress,
    merge_patch,
)
from jobtracker.http.pagination import PageQuery
from jobtracker.jobs.models import (
    MAX_NAME,
    MAX_TAG,
    MAX_TAGS,
    MAX_URL,
    Priority,
    Status,
    normalize_tags,
)
from jobtracker.jobs.queries import SORTS


class Tag(Lowercase):
    """A tag."""

    def __init__(self) -> None:
        super().__init__(max=MAX_TAG)


class Tags(TextList):
    """Normalized tags: at most 50, without repeats."""

    def __init__(self) -> None:
        super().__init__(Tag(), max_items=MAX_TAGS)

    def normalize(self, texts: Iterable[str]) -> list[str]:
        return normalize_tags(texts)


JOB = {
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


class JobIn(Schema):
    example = JOB

    company_name = SchemaNode(Text(max=MAX_NAME))
    job_title = SchemaNode(Text(max=MAX_NAME))
    location = SchemaNode(Text(max=MAX_NAME), missing=None, nullable=True)
    status = SchemaNode(Choice(Status), missing=Status.APPLIED)
    applied_date = SchemaNode(Date(), missing=None, nullable=True)
    job_url = SchemaNode(WebAddress(max=MAX_URL), missing=None, nullable=True)
    tags = SchemaNode(Tags(), missing=(), nullable=True, when_null=())
    priority = SchemaNode(Choice(Priority), missing=Priority.NORMAL)
    next_action_at = SchemaNode(Timestamp(), missing=None, nullable=True)
    next_action_title = SchemaNode(Text(max=MAX_NAME), missing=None, nullable=True)
    last_action_at = SchemaNode(Timestamp(), missing=None, nullable=True)


JOB_PATCH = merge_patch(JobIn(), "JobPatch", example={"status": "offer", "location": None})


class JobFilters(PageQuery):
    sort = SchemaNode(Choice(SORTS), missing="activity")
    q = SchemaNode(Text(max=MAX_NAME), missing=drop, nullable=True)
    status = SchemaNode(TextList(Choice(Status), max_items=100), missing=drop)
    tag = SchemaNode(TextList(Tag(), max_items=100), missing=drop)
    tag_q = SchemaNode(Text(max=MAX_TAG), missing=drop, nullable=True)


class JobOut(Schema):
    example = {
        "id": 7,
        **JOB,
        "created_at": "2026-11-23T09:00:00.000000Z",
        "updated_at": "2026-11-23T09:00:00.000000Z",
        "last_activity_at": "2026-11-23T09:30:00.000000Z",
    }

    id = SchemaNode(Integer())
    company_name = SchemaNode(Text())
    job_title = SchemaNode(Text())
    location = SchemaNode(Text(), nullable=True)
    status = SchemaNode(Choice(Status))
    applied_date = SchemaNode(Date(), nullable=True)
    job_url = SchemaNode(Text(), nullable=True)
    tags = SchemaNode(Tags())
    priority = SchemaNode(Choice(Priority))
    next_action_at = SchemaNode(Timestamp(), nullable=True)
    next_action_title = SchemaNode(Text(), nullable=True)
    last_action_at = SchemaNode(Timestamp(), nullable=True)
    created_at = SchemaNode(Timestamp())
    updated_at = SchemaNode(Timestamp())
    last_activity_at = SchemaNode(Timestamp())


class NoteOut(Schema):
    """A note, as a job embeds it and as the notes' own endpoints return it."""

    example = {
        "id": 3,
        "application_id": 7,
        "body": "They called back.",
        "created_at": "2026-11-23T09:30:00.000000Z",
    }

    id = SchemaNode(Integer())
    application_id = SchemaNode(Integer())
    body = SchemaNode(Text())
    created_at = SchemaNode(Timestamp())


class JobWithNotesOut(JobOut):
    example = {**JobOut.example, "notes": [NoteOut.example]}

    notes = SchemaNode(ListOf(NoteOut()))
