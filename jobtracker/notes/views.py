"""``/jobs/{job_id}/notes``."""

from pyramid.request import Request

from jobtracker.fields import ListOf, Rendered
from jobtracker.http.deletion import DeletionQuery
from jobtracker.http.pagination import PageQuery, paginate
from jobtracker.http.rate_limits import NOTES_BY_USER
from jobtracker.http.service import ApiService, set_location
from jobtracker.jobs.schemas import NoteOut
from jobtracker.notes.queries import NoteRow
from jobtracker.notes.resources import NoteCollection, NoteResource
from jobtracker.notes.schemas import NoteIn
from jobtracker.permissions import Permission

notes = ApiService("notes", "/jobs/{job_id}/notes", context=NoteCollection)
note = ApiService("note", "/jobs/{job_id}/notes/{note_id}", context=NoteResource)


@notes.get(permission=Permission.READ, query=PageQuery(), returns=ListOf(NoteOut()))
def get_notes(request: Request) -> Rendered:
    """The notes on a job, newest first."""
    return paginate(request, request.context.page, **request.validated)


@notes.post(
    permission=Permission.WRITE,
    body=NoteIn(),
    returns=NoteOut(),
    status=201,
    errors=(409,),
    rate_limits=[NOTES_BY_USER],
)
def post_note(request: Request) -> NoteRow:
    """Write something down about a job. The number of notes of a job has a quota."""
    return set_location(request, request.context.add(**request.validated)).row


@note.get(permission=Permission.READ, returns=NoteOut())
def get_note(request: Request) -> NoteRow:
    """One note."""
    return request.context.row


@note.delete(permission=Permission.WRITE, query=DeletionQuery(), status=204)
def delete_note(request: Request) -> None:
    """Put a note into the trash, from which it is deleted after some days.
    `permanent=true` deletes it now."""
    request.context.delete(**request.validated)
