"""``root["jobs"][7]["notes"]``."""

from jobtracker.jobs.resources import JobChildResource, JobResource, TrashableJobChildCollection
from jobtracker.notes.queries import NOTES, NoteRow


class NoteResource(JobChildResource[NoteRow]):
    """``/jobs/7/notes/3``."""

    kind = "note"


class NoteCollection(TrashableJobChildCollection[NoteRow], under=JobResource, name="notes"):
    """``/jobs/7/notes``, newest first."""

    repository, item_class = NOTES, NoteResource
    quota_name = "notes_per_job"

    def add(self, body: str) -> NoteResource:
        """:raises QuotaExceeded: when the job has the maximum number of notes"""
        now = self.__parent__.touch()  # locks the job, so that the quota holds
        return NoteResource(self, self.insert_within(self.quota_name, body=body, created_at=now))
