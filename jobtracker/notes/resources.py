"""``root["jobs"][7]["notes"]``."""

from jobtracker.jobs.resources import JobChildCollection, JobChildResource, JobResource
from jobtracker.notes.queries import NOTES, NoteRow


class NoteResource(JobChildResource[NoteRow]):
    """``/jobs/7/notes/3``."""


class NoteCollection(JobChildCollection[NoteRow], under=JobResource, name="notes"):
    """``/jobs/7/notes``, newest first."""

    repository, item_class = NOTES, NoteResource

    def add(self, body: str) -> NoteResource:
        return NoteResource(self, self.insert(body=body, created_at=self.__parent__.touch()))
