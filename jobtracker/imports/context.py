"""What an import is decided by."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from jobtracker import unicode
from jobtracker.imports.models import OnDuplicate
from jobtracker.imports.row_queries import ExistingJob

JobKey = tuple[str, str]


class Duplicates:
    """The jobs of a user that those of a file can be duplicates of.

    A job is the duplicate of another one of the same company and title, unless both have an applied
    date, or a URL, and these differ.
    """

    def __init__(self, jobs: list[ExistingJob]) -> None:
        self._jobs: dict[JobKey, list[ExistingJob]] = {}
        for job in jobs:
            self._jobs.setdefault(_key(job.company_name, job.job_title), []).append(job)

    def find(self, row: Mapping[str, Any]) -> ExistingJob | None:
        """The job that a row is the duplicate of."""
        same = self._jobs.get(_key(row["company_name"], row["job_title"]), ())
        return next((job for job in same if _is_duplicate(job, row)), None)

    def remove(self, job: ExistingJob) -> None:
        """Let a job be the duplicate of no further row."""
        self._jobs[_key(job.company_name, job.job_title)].remove(job)


def _key(company_name: str, job_title: str) -> JobKey:
    return unicode.comparison_key(company_name), unicode.comparison_key(job_title)


def _is_duplicate(job: ExistingJob, row: Mapping[str, Any]) -> bool:
    pairs = ((job.applied_date, row["applied_date"]), (job.job_url, row["job_url"]))
    return all(here is None or there is None or here == there for here, there in pairs)


class Context(NamedTuple):
    """An import, and what the user had before it.

    :param source: that of the archive
    :param is_own: whether that is this user's own account
    """

    user_id: int
    import_id: int
    source: str
    is_own: bool
    on_duplicate: OnDuplicate
    duplicates: Duplicates
    settings: Mapping[str, Any]

    def quota(self, name: str) -> int:
        """The limit of one of :data:`jobtracker.quotas.QUOTAS`."""
        return int(self.settings[f"quotas.{name}"])
