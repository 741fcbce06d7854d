"""``root["jobs"][7]["notes"]``."""

from collections.abc import Sequence

from jobtracker.jobs.resources import JobResource
from jobtracker.notes.models import Note
from jobtracker.tree import Collection, Resource


class NoteCollection(Collection, under=JobResource, name="notes"):
    """``/jobs/7/notes``."""

    __parent__: JobResource

    def find(self, row_id: int) -> "NoteResource":
        note = Note.by_id(self.db, self.user.id, self.__parent__.job.id, row_id)
        if note is None:
            raise KeyError(row_id)
        return NoteResource(self, note)

    def list(self) -> Sequence[Note]:
        """The notes, newest first."""
        return Note.of_job(self.db, self.user.id, self.__parent__.job.id)

    def add(self, body: str) -> "NoteResource":
        """Write something down about the job."""
        job = self.__parent__.job
        now = job.touch(self.db)
        note = Note(user_id=self.user.id, application_id=job.id, body=body, created_at=now)
        self.db.add(note)
        self.db.flush()
        return NoteResource(self, note)


class NoteResource(Resource):
    """``/jobs/7/notes/3``."""

    __parent__: NoteCollection

    def __init__(self, parent: Resource, note: Note) -> None:
        super().__init__(parent, str(note.id))
        self.note = note

    def delete(self) -> None:
        """Forget the note."""
        self.__parent__.__parent__.job.touch(self.db)
        self.note.remove(self.db)
        self.deleted()
