"""``root["jobs"][7]["details"]``."""

from typing import Any

from jobtracker.activity.resources import DEFAULT_LIMIT
from jobtracker.jobs.models import EMBEDDED_NOTES
from jobtracker.jobs.resources import JobResource
from jobtracker.tree import Resource


class DetailsResource(Resource, under=JobResource, name="details"):
    """``/jobs/7/details``."""

    __parent__: JobResource

    def read(self, activity_limit: int = DEFAULT_LIMIT) -> dict[str, Any]:
        """The job, and the first page of what is below it, as listed by the respective resource."""
        job: Any = self.__parent__
        return {
            "job": job.row,
            "notes": job["notes"].page(limit=EMBEDDED_NOTES),
            "interviews": job["interviews"].page(),
            "activity": job["activity"].page(limit=activity_limit),
        }
