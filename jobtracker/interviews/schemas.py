"""The JSON of interviews."""

from colander import SchemaNode

from jobtracker.fields import Choice, Lowercase, Prose, Schema, Text, Timestamp, merge_patch
from jobtracker.interviews.models import MAX_NAME, MAX_NOTES, MAX_WORD, InterviewStatus
from jobtracker.jobs.schemas import TIME, JobChildOut

INTERVIEW = {
    "scheduled_at": "2026-11-30T13:00:00Z",
    "stage": "first round",
    "kind": "video",
    "location": "https://meet.example/acme",
    "interviewer": "Grace Hopper",
    "status": "scheduled",
    "notes": "Ask about the team.",
}


class InterviewIn(Schema):
    example = {**INTERVIEW, "scheduled_at": "2026-11-30T14:00:00+01:00"}

    scheduled_at = SchemaNode(Timestamp(), title="time of the interview")
    stage = SchemaNode(Lowercase(max=MAX_WORD), missing=None, nullable=True)
    kind = SchemaNode(Lowercase(max=MAX_WORD), missing=None, nullable=True)
    location = SchemaNode(Text(max=MAX_NAME), missing=None, nullable=True)
    interviewer = SchemaNode(Text(max=MAX_NAME), missing=None, nullable=True)
    status = SchemaNode(Choice(InterviewStatus), missing=InterviewStatus.SCHEDULED)
    notes = SchemaNode(Prose(max=MAX_NOTES), missing=None, nullable=True)


INTERVIEW_PATCH = merge_patch(
    InterviewIn(), "InterviewPatch", example={"status": "completed", "location": None}
)


class InterviewOut(InterviewIn, JobChildOut):
    example = {"id": 4, "application_id": 7, **INTERVIEW, "created_at": TIME, "updated_at": TIME}

    created_at = SchemaNode(Timestamp())
    updated_at = SchemaNode(Timestamp())
