"""``root["jobs"][7]["notes"]``."""

from collections.abc import Sequence
from typing import Any

from jobtracker.db.keyset import MAX_LIMIT, Page
from jobtracker.jobs.resources import JobResource
from jobtracker.notes import models
from jobtracker.notes.models import NEWEST_FIRST, NoteRow
from jobtracker.tree import Collection, Resource


class NoteCollection(Collection, under=JobResource, name="notes"):
    """``/jobs/7/notes``."""

    __parent__: JobResource

    @property
    def _of_job(self) -> tuple[int, int]:
        return self.user.id, self.__parent__.job.id

    def find(self, row_id: int) -> "NoteResource":
        note = models.by_id(self.connection, *self._of_job, row_id)
        if note is None:
            raise KeyError(row_id)
        return NoteResource(self, note)

    def list(self) -> Sequence[NoteRow]:
        """The notes, newest first."""
        return models.all_of_job(self.connection, *self._of_job)

    def page(self, *, limit: int = MAX_LIMIT, after: tuple[Any, ...] | None = None) -> Page:
        """Some of the notes, newest first."""
        rows = models.some_of_job(self.connection, *self._of_job, limit + 1, after)
        return Page.of(rows, limit, NEWEST_FIRST)

    def add(self, body: str) -> "NoteResource":
        """Write something down about the job."""
        now = self.__parent__.touch()
        note = models.add(self.connection, *self._of_job, body=body, created_at=now)
        return NoteResource(self, note)


class NoteResource(Resource):
    """``/jobs/7/notes/3``."""

    __parent__: NoteCollection

    def __init__(self, parent: Resource, note: NoteRow) -> None:
        super().__init__(parent, str(note.id))
        self.note = note

    def delete(self) -> None:
        """Forget the note."""
        self.__parent__.__parent__.touch()
        models.remove(self.connection, self.note.user_id, self.note.application_id, self.note.id)
        self.deleted()
