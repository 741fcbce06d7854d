"""``root["jobs"][7]["details"]``."""

from typing import Any

from jobtracker.activity.resources import DEFAULT_LIMIT
from jobtracker.jobs.resources import JobResource
from jobtracker.tree import Resource


class DetailsResource(Resource, under=JobResource, name="details"):
    """``/jobs/7/details``."""

    __parent__: JobResource

    def read(self, activity_limit: int = DEFAULT_LIMIT) -> dict[str, Any]:
        """The job, and what hangs under it: each as its own resource lists it."""
        job: Any = self.__parent__
        last = job["activity"].list(limit=activity_limit + 1)
        items = last[:activity_limit]
        return {
            "job": job.job,
            "notes": job["notes"].list(),
            # SEAM: interviews are optional here until there is a package of theirs.
            "interviews": job["interviews"].list() if "interviews" in job.children else [],
            "activity": {
                "items": items,
                # SEAM: to be the cursor of jobtracker.pages, once activity is read in pages.
                "next_cursor": str(items[-1].id) if len(last) > len(items) else None,
            },
        }
