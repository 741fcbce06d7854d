"""``root["jobs"][7]["contacts"]``."""

from jobtracker.jobs.resources import JobChildResource, JobResource, TrashableJobChildCollection

from .queries import CONTACTS, ContactRow


class ContactResource(JobChildResource[ContactRow]):
    """``/jobs/7/contacts/2``."""

    kind = "contact"


class ContactCollection(
    TrashableJobChildCollection[ContactRow], under=JobResource, name="contacts"
):
    """``/jobs/7/contacts``, A to Z."""

    repository, item_class = CONTACTS, ContactResource
    quota_name = "interviews_per_job"

    def add(self, name: str) -> ContactResource:
        """Add a contact."""
        self.__parent__.touch()
        return ContactResource(self, self.insert(name=name))
